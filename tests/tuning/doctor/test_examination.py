"""The doctor: every check isolated, a run without a GPU, and the checks of a GPU on the CPU, where their wiring shows."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.errors import ConfigError, SearchError
from srcnn.system import own_process
from srcnn.tuning.doctor import examination as doctor
from srcnn.tuning.doctor.examination import CHECKS, Check, examine
from srcnn.tuning.trials.outcome import Outcome

from checkout import EXPERIMENTS

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def found(check: Check, **options: Any) -> doctor.Finding:
    (finding,) = examine(gpu=True, checks=[check], **options)
    return finding


def test_every_check_has_a_function_and_advice() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        module, _, name = check.function.rpartition(".")
        assert callable(getattr(importlib.import_module(f"srcnn.tuning.doctor.{module}"), name))
        assert check.advice


def test_a_check_that_raises_dies_or_hangs_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "more"
    package.mkdir()
    (package / "own_checks.py").write_text(
        "import os, time\n"
        "def raises(): raise ValueError('first line\\nsecond')\n"
        "def dies(): os._exit(3)\n"
        "def hangs(): time.sleep(600)\n"
    )
    # A package's path is read from the environment of the child, which this adds to.
    (tmp_path / "sitecustomize.py").write_text(
        f"import srcnn.tuning.doctor\nsrcnn.tuning.doctor.__path__.append({str(package)!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = {
        name: found(Check(name, f"own_checks.{name}", False, "do this", limit=3.0 if name == "hangs" else 300.0))
        for name in ("raises", "dies", "hangs", "missing")
    }
    assert rows["raises"].text == "ValueError: first line"
    assert rows["dies"].text.startswith("the process ended with code 3")
    assert rows["hangs"].text == "took longer than 3 s"
    assert rows["missing"].text.startswith("AttributeError: ")
    assert {row.outcome for row in rows.values()} == {Outcome.FAILED}
    assert {row.advice for row in rows.values()} == {"do this"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    return importlib.import_module("doctor").main


@without_gpu
def test_without_a_gpu_the_command_says_so_and_ends_well(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    def few(*, gpu: bool, begin: Any) -> Any:
        begun.append("examine")
        return examine(
            gpu=gpu, begin=begin, checks=[check for check in CHECKS if "search_checks.invented" not in check.function]
        )

    monkeypatch.setitem(command.__globals__, "examine", few)
    file = tmp_path / "findings.json"
    assert command(["--gpu", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "this machine has no GPU" in out
    assert "3 ok, 11 skipped" in out
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["gpu"], written["failed"]) == (None, 0)
    assert [one["outcome"] for one in written["checks"]] == ["ok"] * 3 + ["skipped"] * 11
    assert written["checks"][0]["figures"]["torch"] == torch.__version__


def test_mistakes_and_failures_have_exit_codes(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = doctor.Finding("a check", "failed", "a reason [with brackets]", "some advice")
    monkeypatch.setitem(command.__globals__, "examine", lambda gpu, begin: iter([one]))
    assert command([]) == 1
    out = capsys.readouterr().out
    assert "a reason [with brackets]" in out
    assert "some advice" in out
    assert "no GPU here" not in out
    (tmp_path / "file").write_text("")
    assert command(["--json", str(tmp_path / "file" / "a.json")]) == 2
    assert capsys.readouterr().err.startswith("error: --json: ")


def test_a_call_in_a_process_of_its_own_gives_its_result_or_its_error() -> None:
    assert own_process.in_own_process(pow, 2, 10) == 1024
    with pytest.raises(ConfigError, match="device: must be"):
        own_process.in_own_process(torch_device_of, "gpu")
    with pytest.raises(SearchError, match="dies: the process died"):
        own_process.in_own_process(dies)


def torch_device_of(name: str) -> torch.device:
    from srcnn.system.device import pick_device

    return pick_device(name)


def dies() -> None:
    import os

    os._exit(1)
