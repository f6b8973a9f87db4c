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
    """Smaller ones, so that their product moves as far as a plain weight. The last layer and the biases take those of Adam."""
    run = made(expansion=2, layer_rates=(0.1, 1.0))
    assert run.expansion is not None
    wide, mix = run.expansion.wide, run.expansion.mix
    factors = {
        id(p): group["factor"] for group in run.optimizer.param_groups if group["matrix"] for p in group["params"]
    }
    assert factors == pytest.approx({id(wide[0]): 0.5, id(mix[0]): 0.25, id(wide[1]): 0.05, id(mix[1]): 0.025})
    others = {group["factor"] for group in run.optimizer.param_groups if not group["matrix"]}
    assert others == {1.0, 0.1}


def test_a_step_of_muon_moves_a_block_about_as_far_as_a_plain_weight() -> None:
    moved = []
    for expansion in (0, 2, 8):
        run = made(expansion=expansion, learning_rate=1e-3, schedule="constant", warmup=0.0, epoch_pixels=1)
        before = run.network.convolutions[1].weight.detach().clone()
        run.train_epoch()
        moved.append(float((run.network.convolutions[1].weight.detach() - before).norm()))
    assert 0.5 * moved[0] < moved[1] < 2 * moved[0]
    assert 0.5 * moved[0] < moved[2] < 2 * moved[0]
