"""The doctor: every check isolated, a run without a GPU, and the checks of a GPU on the CPU, where their wiring shows."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from srcnn.errors import ConfigError, SearchError, TrainingError
from srcnn.system import own_process
from srcnn.training.recorded_step import RecordingWarning
from srcnn.tuning.doctor import examination as doctor
from srcnn.tuning.doctor import gpu_checks as doctor_gpu
from srcnn.tuning.doctor.examination import CHECKS, Check, Seen, examine

from checkout import EXPERIMENTS

CPU = torch.device("cpu")
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
    assert rows["dies"].text.startswith("its process ended with code 3")
    assert rows["hangs"].text == "took longer than 3 s"
    assert rows["missing"].text.startswith("AttributeError: ")
    assert {row.outcome for row in rows.values()} == {"failed"}
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
            gpu=gpu, begin=begin, checks=[check for check in CHECKS if "invented_gpus" not in check.function]
        )

    monkeypatch.setitem(command.__globals__, "examine", few)
    file = tmp_path / "findings.json"
    assert command(["--gpu", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "there is no GPU here" in out
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


@without_gpu
def test_ray_places_trials_on_invented_gpus() -> None:
    finding = found(next(check for check in CHECKS if check.function == "search_checks.invented_gpus"))
    assert finding.outcome == "ok", finding.text
    assert finding.figures == {"trials": 4}


@without_gpu
def test_a_torch_that_cannot_use_the_card_fails_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_card_here", lambda: True)
    rows = list(examine(gpu=True, checks=[check for check in CHECKS if check.gpu]))
    assert [row.outcome for row in rows] == ["failed"] + ["skipped"] * 10
    assert rows[0].text.startswith(f"device: torch {torch.__version__} can use no GPU: ")
    assert "driver" in rows[0].advice


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The checks of a GPU, with the CPU in its place."""
    monkeypatch.setattr(doctor_gpu, "_gpu", lambda: CPU)
    monkeypatch.setattr(doctor_gpu, "has_bf16", lambda device: True)
    monkeypatch.setattr(doctor_gpu, "capability", lambda device: (8, 0))
    for name in ("total_memory", "peak_reserved"):
        monkeypatch.setattr(doctor_gpu, name, lambda device: 1000)
    monkeypatch.setattr(doctor_gpu, "reset_peak", lambda device: None)
    return monkeypatch


def test_checks_of_a_gpu_pass_where_they_should(on_cpu: pytest.MonkeyPatch) -> None:
    assert doctor_gpu.device_and_driver().figures["capability"] == [8, 0]
    assert doctor_gpu.bf16().figures["error"] < 0.01
    assert set(doctor_gpu.recorded_against_plain().figures) == {"muon", "adam", "sgd"}
    on_cpu.setattr(doctor_gpu, "_SECONDS", 0.1)
    on_cpu.setattr(doctor_gpu, "matrix_peak", lambda device, precision: 1e11)
    seen = doctor_gpu.throughput_9_1_5()
    assert seen.figures["mpixels"] > 0
    assert "Mpixel/s" in seen.text
    on_cpu.setattr(doctor_gpu, "in_own_process", lambda function, *arguments: function(*arguments))
    seen = doctor_gpu.deterministic_runs_agree()
    assert len(set(seen.figures["digests"]["yes"])) == 1


@pytest.mark.parametrize(("holds", "error"), [(True, None), (False, TrainingError)])
def test_a_cap_is_seen_to_hold_or_not(on_cpu: pytest.MonkeyPatch, holds: bool, error: type[Exception] | None) -> None:
    caps = [1.0]
    on_cpu.setattr(doctor_gpu, "cap_memory", lambda device, cap: caps.append(cap))

    def empty(size: int, **options: Any) -> None:
        if holds and size > 1000 * caps[-1]:
            raise torch.OutOfMemoryError

    on_cpu.setattr(torch, "empty", empty)
    if error is None:
        assert isinstance(doctor_gpu.memory_cap_holds(), Seen)
        assert caps == [1.0, 0.25, 1.0]
    else:
        with pytest.raises(error, match="True, True, True"):
            doctor_gpu.memory_cap_holds()


def test_a_recording_that_is_refused_fails_its_check(on_cpu: pytest.MonkeyPatch) -> None:
    import warnings

    def fit(*arguments: Any, **options: Any) -> Any:
        warnings.warn(
            "steps are not recorded, so small networks train more slowly: a reason", RecordingWarning, stacklevel=2
        )
        return iter(())

    on_cpu.setattr(doctor_gpu, "fit", fit)
    with pytest.raises(TrainingError, match=r"muon: steps are not recorded.*a reason"):
        doctor_gpu.recorded_against_plain()


def test_a_trial_on_no_card_or_two_is_an_error() -> None:
    cards = importlib.import_module("srcnn.tuning.doctor.search_checks")._check_cards
    assert cards(["cuda 1", "cuda 0", "cuda 1"], kind="cuda") == ["0", "1"]
    for wrong in ("cuda 0,1", "cpu 0", "cuda", ""):
        with pytest.raises(SearchError, match="not on one GPU"):
            cards(["cuda 0", wrong], kind="cuda")


def test_a_call_in_a_process_of_its_own_gives_its_result_or_its_error() -> None:
    assert own_process.in_own_process(pow, 2, 10) == 1024
    with pytest.raises(ConfigError, match="device: must be"):
        own_process.in_own_process(torch_device_of, "gpu")
    with pytest.raises(SearchError, match="dies: the process that measures died"):
        own_process.in_own_process(dies)


def torch_device_of(name: str) -> torch.device:
    from srcnn.system.device import pick_device

    return pick_device(name)


def dies() -> None:
    import os

    os._exit(1)
