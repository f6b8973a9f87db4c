"""What is said of GPUs where there is none, and how the driver's own program is asked. Calls of CUDA: `test_gpu_arguments`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from srcnn.system import gpu

import fake_cuda

CPU = torch.device("cpu")


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of the driver's name that answers with the file ``answer`` and keeps its arguments in ``asked``."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/answer\n', encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def test_a_cpu_has_nothing_to_give_back_or_to_wait_for() -> None:
    gpu.release_memory(CPU)
    gpu.wait(CPU)
    with gpu.on(CPU):
        assert torch.zeros(1).device == CPU


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_there_is_no_name() -> None:
    assert gpu.gpu_count() == 0 and gpu.gpu_index() == 0
    assert gpu.gpu_name() is None


def test_the_drivers_program_is_asked_about_the_visible_card(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda.install(monkeypatch)
    (smi / "answer").write_text("NVIDIA H100 80GB HBM3\n", encoding="ascii")
    assert gpu.gpu_name(1) == "NVIDIA H100 80GB HBM3"
    assert (smi / "asked").read_text().split() == ["--id=1", "--query-gpu=name", "--format=csv,noheader,nounits"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    gpu.gpu_name(0)
    assert (smi / "asked").read_text().startswith("--id=1 ")


@pytest.mark.parametrize(("answer", "found"), [("8192\n", 8192 * 2**20), ("[N/A]\n", None), ("", None)])
def test_used_memory_is_in_bytes_and_unknown_where_the_driver_does_not_say(
    smi: Path, answer: str, found: float | None
) -> None:
    (smi / "answer").write_text(answer, encoding="ascii")
    assert gpu.used_memory() == found


def test_a_program_that_fails_is_no_answer(smi: Path) -> None:
    (smi / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n", encoding="ascii")
    assert gpu.used_memory() is None
