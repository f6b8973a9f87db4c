"""Tests of `srcnn.system.device`."""

from __future__ import annotations

import os

import pytest
import torch

from srcnn.errors import ConfigError
from srcnn.system.device import arithmetic, bf16_is_fast, pick_device, promise_determinism, resolve_precision

CPU = torch.device("cpu")


def test_devices() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="device: must be auto, cpu, cuda or cuda:N, but got 'gpu'"):
        pick_device("gpu")


@pytest.mark.parametrize(
    "name",
    [
        "cpu:5",
        "cpu:0",
        "CPU",
        "",
        " cpu",
        "meta",
        "mps",
        "cuda:-1",
        "cuda:",
        "cuda:\u0661",
        "cuda:" + "9" * 30,
        None,
        0,
    ],
)
def test_what_is_no_device(name: object) -> None:
    with pytest.raises(ConfigError, match="device: must be auto, cpu, cuda or cuda:N, but got"):
        pick_device(name)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="device: no GPU is available on this machine, but got 'cuda:0'"):
        pick_device("cuda:0")


def test_precision() -> None:
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"
    assert resolve_precision("auto", CPU) == ("bf16" if bf16_is_fast(CPU) else "fp32")


def strict() -> bool:
    return torch.are_deterministic_algorithms_enabled()


def flags() -> tuple[bool, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic


def test_float32_means_float32_within_the_block_and_the_callers_settings_hold_after_it() -> None:
    before = flags()
    with arithmetic():
        assert flags() == (False, False, False, False)
        with arithmetic(search=True):
            assert flags() == (False, False, True, False)
        with pytest.raises(ZeroDivisionError), arithmetic(search=True, deterministic=True):
            assert flags() == (False, False, False, True)
            assert strict()
            with arithmetic():  # a look at the validation images between two epochs
                assert strict()
            _ = 1 / 0
    assert flags() == before
    assert not strict()
    assert torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


def test_cublas_is_asked_before_its_first_product_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    promise_determinism()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    promise_determinism()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
