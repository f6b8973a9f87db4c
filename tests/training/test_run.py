"""A run in progress: what its optimiser trains. How runs behave is in test_fit.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.training.patches import prepare
from srcnn.training.run import Run


def made(**fields: Any) -> Run:
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    config = TrainConfig(kernels="3-1-3", filters=(8, 6), patch_size=12, epochs=1, **fields)
    return Run(config, prepare([("noise", image)], 3), (), torch.device("cpu"), None, recorded=False)


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
@pytest.mark.parametrize("expansion", [0, 2])
def test_the_optimiser_has_every_trained_parameter_once(optimizer: str, expansion: int) -> None:
    run = made(optimizer=optimizer, expansion=expansion)
    owned = [id(p) for group in run.optimizer.param_groups for p in group["params"]]
    assert sorted(owned) == sorted(map(id, run.trained))
    assert len(set(owned)) == len(owned) == (6 if not expansion else 9)


def test_the_matrices_of_blocks_take_the_steps_of_muon() -> None:
    run = made(expansion=2)
    assert run.expansion is not None
    matrices = [id(p) for group in run.optimizer.param_groups if group["matrix"] for p in group["params"]]
    assert matrices == [id(p) for i in (0, 1) for p in (run.expansion.wide[i], run.expansion.mix[i])]
