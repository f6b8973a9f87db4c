"""The flags of search: groups, words for the values, and settings from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from srcnn.commands.search_flags import given_settings, search_parser
from srcnn.errors import SearchError
from srcnn.tuning.planning.settings import SearchSettings

from command_parts import refusal


def settings(*flags: str) -> tuple[SearchSettings, bool]:
    return given_settings(search_parser("x").parse_args(list(flags)))


def test_every_setting_has_a_flag_in_a_group_with_a_word_for_its_value() -> None:
    text = search_parser("x").format_help()
    for name in SearchSettings.model_fields:
        flag = "--scale" if name == "scales" else "--" + name.replace("_", "-")
        assert f"  {flag}" in text, flag
    for group in ("basic:", "budget and confirmation:", "resources:", "storage:", "what is shown:"):
        assert f"\n{group}\n" in text
    assert "VALUE" not in text
    assert "default: none" not in text
    assert "none: a tenth" not in text
    assert "(default: a tenth, at least 6 and at most 12)" in " ".join(text.split())


def test_flags_become_settings() -> None:
    found, resume = settings(
        *("--name", "x", "--scale", "3, 4", "--test", "Set5,Set14", "--budget", "2M", "--time-budget", "1h30m"),
        *("--objectives", "gain,macs", "--enqueue", "paper", "--validation", "none", "--no-confirm"),
    )
    assert not resume
    assert found.scales == (3, 4)
    assert found.test == ("Set5", "Set14")
    assert (found.budget, found.time_budget) == (2e6, 5400.0)
    assert found.objectives == ("gain", "macs")
    assert found.enqueue == ("paper",)
    assert found.validation is None
    assert not found.confirm


def test_resume_in_a_fresh_folder(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"resume: there is no search in .*ray$"):
        settings("--resume", "--storage", str(tmp_path / "ray"))
    found, resume = settings("--name", "x", "--resume", "x", "--storage", str(tmp_path / "ray"))
    assert found.name == "x"
    assert not resume


def test_quiet_and_verbose_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: list[str] | None) -> int:
        search_parser("x").parse_args(argv)
        return 0

    assert "not allowed with argument" in refusal(main, ["-q", "-v"], capsys)


def test_help_loads_neither_torch_nor_the_platform() -> None:
    code = (
        "import sys\nfrom srcnn.commands import search\n"
        "try:\n    search.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('loaded', *{'ray', 'optuna', 'mlflow', 'torch', 'numpy', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded"
