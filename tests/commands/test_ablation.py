"""The command ablation, before anything is started; a whole table: tests/tuning/paper/test_run_table.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.commands import ablation

from checkout import SPACES
from command_parts import refusal


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_has_every_table_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert ablation.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(path.stem in text for path in (SPACES / "paper").glob("*.yaml"))


def test_mistakes(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        ([], "--table: must be given, one of article, "),
        (["--table", "depht"], "'depht'"),
        (["--table", "all", "--name", "mine"], "--name: must not be combined with --table all"),
        (["--table", "depth", "--budget", "forever"], "budget 'forever' does not exist"),
    ):
        assert words in refusal(ablation.main, arguments, capsys)
    assert list(elsewhere.iterdir()) == []
