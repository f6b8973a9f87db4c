"""The checks of a GPU, run on the CPU where they can be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from srcnn.errors import TrainingError
from srcnn.training.recorded_step import RecordingWarning
from srcnn.tuning.doctor import examination as doctor
from srcnn.tuning.doctor import gpu_checks as doctor_gpu
from srcnn.tuning.doctor.examination import CHECKS, Seen, examine
from srcnn.tuning.trials.outcome import Outcome

CPU = torch.device("cpu")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@without_gpu
def test_a_torch_that_cannot_use_the_card_fails_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_card_here", lambda: True)
    rows = list(examine(gpu=True, checks=[check for check in CHECKS if check.gpu]))
    assert [row.outcome for row in rows] == [Outcome.FAILED] + ["skipped"] * 10
    assert rows[0].text.startswith(f"device: torch {torch.__version__} cannot use a GPU: ")
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
        text = "steps are not recorded, so small networks train more slowly: a reason"
        warnings.warn(text, RecordingWarning, stacklevel=2)
        return iter(())

    on_cpu.setattr(doctor_gpu, "fit", fit)
    with pytest.raises(TrainingError, match=r"muon: steps are not recorded.*a reason"):
        doctor_gpu.recorded_against_plain()
