"""The part of a GPU's memory that a trial may use. On invented GPUs: `test_gpu_arguments`."""

from __future__ import annotations

import pytest
import torch

from srcnn.tuning.worker.trial_device import CONTEXT, Place, memory_cap, trial_device

TOTAL = 80e9


@pytest.mark.parametrize("share", [1.0, 1.5, 2.0])
def test_a_whole_gpu_is_not_capped(share: float) -> None:
    assert memory_cap(share, TOTAL) == 1.0


def test_cudas_own_memory_comes_out_of_the_share() -> None:
    assert memory_cap(0.5, TOTAL) == pytest.approx(0.5 - 0.6 / 80)
    assert 2 * (memory_cap(0.5, TOTAL) * TOTAL + CONTEXT) == pytest.approx(TOTAL)
    assert memory_cap(0.001, TOTAL) == 0.01  # never nothing


def test_a_trial_without_a_gpu_runs_on_the_cpu() -> None:
    assert trial_device(Place("folder", 1, 0)) == torch.device("cpu")
