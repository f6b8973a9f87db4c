"""A run in progress: what its optimiser trains. How runs behave is in test_fit.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.training.fit import fit
from srcnn.training.patches import TrainingData, prepare
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


def arguments() -> tuple[TrainConfig, TrainingData, Degraded]:
    images = [("a", np.random.default_rng(0).integers(0, 256, (40, 44), dtype=np.uint8))]
    config = TrainConfig(kernels="3-3", filters="4", patch_size=12, scale=2, pixels=1000, precision="fp32")
    return config, prepare(images, 2), degrade(images[0][1], 2, name="a")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["small", "bicubic", "target"])
def test_a_validation_value_that_is_not_finite_is_named(part: str, value: float) -> None:
    config, data, image = arguments()
    plane = getattr(image, part).copy()
    plane[3, 4, 0] = value
    with pytest.raises(
        DataError, match=rf"^validation\[1\] \(a\): every value of {part} must be finite, but one is NaN or infinite$"
    ):
        fit(config, data, validation=[image, replace(image, **{part: plane})], device="cpu")


@pytest.mark.parametrize("part", ["small", "bicubic"])
def test_training_values_that_are_not_finite_are_refused(part: str) -> None:
    config, data, _ = arguments()
    plane = getattr(data, part).copy()
    plane[0, 7] = np.nan
    with pytest.raises(DataError, match=f"^data: every value of {part} must be finite"):
        fit(config, replace(data, **{part: plane}), device="cpu")


def test_images_that_are_empty_are_refused() -> None:
    config, data, image = arguments()
    empty = replace(image, small=image.small[:0], bicubic=image.bicubic[:0], target=image.target[:0])
    with pytest.raises(DataError, match=r"^validation\[0\] \(a\): the image is empty, of shape \(0, 44, 1\)$"):
        fit(config, data, validation=[empty], device="cpu")
    none = replace(
        data,
        names=(),
        sizes=data.sizes[:0],
        small=data.small[:, :0],
        bicubic=data.bicubic[:, :0],
        target=data.target[:, :0],
    )
    with pytest.raises(DataError, match=r"^data: there is no training image$"):
        fit(config, none, device="cpu")


def test_a_device_is_a_device_or_its_name() -> None:
    config, data, _ = arguments()
    by_name, by_device = (
        next(fit(config, data, device=where)).network.state_dict() for where in ("cpu", torch.device("cpu"))
    )
    assert all(torch.equal(by_name[key], by_device[key]) for key in by_device)
    with pytest.raises(ConfigError, match=r"^device: must be auto, cpu, cuda or cuda:N, but got 'tpu'$"):
        fit(config, data, device="tpu")


def test_a_batch_that_no_machine_holds_is_refused_before_it_is_drawn() -> None:
    config, data, _ = arguments()
    with pytest.raises(ConfigError, match=r"^batch_size: a step of this network would take \S+ GiB, this machine has"):
        fit(config.replace(batch_size=1_000_000, patch_size=40, filters=(4000,)), data, device="cpu")
    with pytest.raises(ConfigError, match=r"^epoch_pixels: the places of the \S+ sub-images of an epoch would take"):
        fit(config.replace(epoch_pixels=1e15, pixels=1e15), data, device="cpu")
