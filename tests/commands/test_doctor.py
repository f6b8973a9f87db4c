"""The doctor as a command: rows, exit codes, the file of the results, and mistakes as one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.commands import doctor
from srcnn.tuning.doctor.examination import CHECKS, Finding, examine

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")

#: Checks of a second or so.
QUICK = ("versions", "environment", "bf16 on the CPU", "disks")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@without_gpu
def test_without_a_gpu_the_command_says_so_and_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def few(*, gpu: bool, begin: Any, options: Any) -> Any:
        seen.update(options)
        chosen = [check for check in CHECKS if check.gpu or check.name in QUICK]
        return examine(gpu=gpu, begin=begin, checks=chosen, options=options)

    monkeypatch.setattr(doctor, "examine", few)
    file = tmp_path / "findings.json"
    assert doctor.main(["--gpu", "--json", str(file), "--storage", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "this machine has no GPU" in out
    assert "4 ok, 11 skipped" in out
    assert seen == {"storage": str(tmp_path)}
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (written["gpu"], written["failed"]) == (None, 0)
    assert sorted(one["outcome"] for one in written["checks"]) == ["ok"] * 4 + ["skipped"] * 11
    assert written["checks"][0]["figures"]["torch"] == torch.__version__


def test_failures_have_an_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    one = Finding("a check", "failed", "a reason [with brackets]", "some advice")
    monkeypatch.setattr(doctor, "examine", lambda gpu, begin, options: iter([one]))
    assert doctor.main([]) == 1
    out = capsys.readouterr().out
    assert "a reason [with brackets]" in out
    assert "some advice" in out
    assert "no GPU here" not in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--json", "file/a.json"], "--json: must be a file in a folder, but got the file file"),
        (["--json", "."], "--json: must be a file in a folder"),
        (["--set", "Set5"], "--set: must be given with --psnr only"),
        (["--data-root", "x"], "--data-root: must be given with --psnr only"),
        (["--psnr", "30"], "--set: must be given with --psnr"),
        (["--psnr", "30", "--set", "sample/test"], "--scale: must be given with --psnr"),
        (["--psnr", "30", "--gpu", "--set", "sample/test", "--scale", "2"], "--gpu: must not be given with --psnr"),
        (["--gpus"], "--gpus: no such flag; did you mean --gpu"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    try:
        code: Any = doctor.main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert error.startswith(f"error: {words}")


def test_the_command_loads_no_platform() -> None:
    code = "import sys, srcnn.commands.doctor; print(sorted({'ray', 'optuna', 'mlflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
