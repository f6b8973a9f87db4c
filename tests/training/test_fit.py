"""Training: learning on real photographs, resuming bit for bit, schedules, budgets, and runs that end by themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import CheckpointError, ConfigError, DataError, DeadNetworkError, DivergenceError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import reconstruct, score
from srcnn.model.network import SRCNN
from srcnn.training.checkpoint import TrainState, load_state, save_state
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import prepare
from srcnn.training.run import Run

CPU = torch.device("cpu")


@cache
def photos(side: int = 48, count: int = 3) -> tuple[tuple[str, NDArray[np.uint8]], ...]:
    """Corners of the bundled photographs."""
    images = load("sample/train").images
    rgb = [(name, image) for name, image in images if name in ("ihc", "motorcycle_left", "rocket", "china", "flower")]
    return tuple((name, image[100 : 100 + side, 100 : 100 + side]) for name, image in rgb[:count])


def configured(**fields: Any) -> TrainConfig:
    small = {"kernels": (3, 1, 3), "filters": (8, 8), "patch_size": 12, "batch_size": 4, "epoch_pixels": 3000}
    budget = {} if "pixels" in fields else {"epochs": 4}
    # Adam is the tamest at the rates of these tests; others are asked for by name.
    return TrainConfig(**{**small, "optimizer": "adam", **budget, **fields})


def started(
    config: TrainConfig, *, validate: bool = False, state: TrainState | None = None, recorded: bool = False
) -> Iterator[EpochResult]:
    data = prepare(photos()[:2], config.scale, color=config.color)
    validation: list[Degraded] = []
    if validate:
        validation = [degrade(image, config.scale, color=config.color, name=name) for name, image in photos()[2:]]
    return fit(config, data, validation=validation, state=state, device=CPU, recorded=recorded)


def weights(result: EpochResult) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in result.network.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def record(result: EpochResult) -> tuple[Any, ...]:
    """Everything of an epoch that a resumed run must repeat."""
    r = result
    return (
        r.epoch,
        r.epochs,
        r.step,
        r.pixels,
        r.loss,
        r.learning_rate,
        r.val_psnr,
        r.best_epoch,
        r.best_val_psnr,
        r.done,
    )


# Learning


def test_a_few_seconds_beat_bicubic_on_real_photographs() -> None:
    config = TrainConfig(kernels=(5, 1, 5), filters=(16, 8), patch_size=32, batch_size=16, epochs=8, epoch_pixels=4e5)
    images = [(name, image) for name, image in load("sample/train").images if "motorcycle" in name or "rocket" in name]
    training = [(name, image[:300, :400]) for name, image in images]
    held_out = [degrade(image[60:220, 420:600], 3, name=name) for name, image in images]
    results = list(fit(config, prepare(training, 3), validation=held_out, device=CPU))
    assert results[-1].loss < results[0].loss
    gain = results[-1].val_gain
    assert gain is not None
    assert gain > 0.2
    # The figures are those of the protocol, and the best weights are those of the best epoch.
    bicubic = float(np.mean([score(None, image).psnr for image in held_out]))
    figures = [r.val_psnr for r in results if r.val_psnr is not None]
    assert gain == pytest.approx(figures[-1] - bicubic, abs=1e-9)
    assert results[-1].best_val_psnr == max(figures)
    assert results[-1].best_epoch == 1 + int(np.argmax(figures))
    best = SRCNN(config.architecture)
    best.load_state_dict(dict(results[-1].best_weights))
    assert float(np.mean([score(best, image).psnr for image in held_out])) == pytest.approx(
        max(figures), abs=5e-3
    )  # looks at them in bf16


@pytest.mark.parametrize("reduction", ["mean", "euclidean"])
def test_one_step_of_sgd_follows_the_formula(reduction: str) -> None:
    """The image has one place, so a batch holds it N times. Caffe: loss = 1 / (2 N) sum of squares, over all pixels.

    The rate is shared by weight and bias; the factor 0.5 belongs to the last layer.
    """
    # Steps of a size that single precision still resolves beside the weights.
    rate = 1.0 if reduction == "mean" else 1e-3
    config = configured(
        kernels=(3, 3),
        filters=(5,),
        layer_rates=(0.5,),
        patch_size=48,
        batch_size=3,
        epochs=1,
        epoch_pixels=1,
        augment=False,
        optimizer="sgd",
        learning_rate=rate,
        schedule="constant",
        warmup=0.0,
        reduction=reduction,
        precision="fp32",
    )
    name, image = photos()[0]
    (result,) = fit(config, prepare([(name, image)], 3), device=CPU)
    assert result.step == 1
    network = SRCNN(config.architecture)
    network.initialize(config.initialization, config.init_std, torch.Generator().manual_seed(config.seed))
    ready = degrade(image, 3)
    x, target = (torch.from_numpy(plane)[None, None, :, :, 0] for plane in (ready.bicubic, ready.target))
    error = network.train()(x) - target[..., 2:-2, 2:-2]
    assert error.shape[-1] == 44
    squares = (error**2).sum()
    loss = squares / 44**2 if reduction == "mean" else 3 * squares / (2 * 3)
    loss.backward()
    assert result.loss == pytest.approx(
        float(squares.detach()) / 44**2, rel=1e-5
    )  # reported as a mean, whatever is minimised
    for found, layer, factor in zip(result.network.convolutions, network.convolutions, (1.0, 0.5), strict=True):
        for after, before in zip(found.parameters(), layer.parameters(), strict=True):
            assert before.grad is not None
            step = -rate * factor * before.grad
            torch.testing.assert_close(
                after.detach() - before.detach(), step, rtol=1e-3, atol=float(step.abs().max()) * 1e-3
            )


def test_a_clipped_step_has_the_norm_of_the_clip() -> None:
    config = configured(
        optimizer="sgd",
        momentum=0.0,
        learning_rate=1.0,
        clip=1e-3,
        schedule="constant",
        warmup=0.0,
        epochs=1,
        epoch_pixels=1,
    )
    (result,) = started(config)
    network = SRCNN(config.architecture)
    network.initialize(config.initialization, config.init_std, torch.Generator().manual_seed(config.seed))
    moved = [(a - b).detach().flatten() for a, b in zip(result.network.parameters(), network.parameters(), strict=True)]
    assert float(torch.cat(moved).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_a_layer_with_factor_zero_stays_frozen() -> None:
    first, second = (weights(r) for r in started(configured(layer_rates=(0.0, 1.0), epochs=2)))
    for name in first:
        assert torch.equal(first[name], second[name]) == name.startswith("layers.1.")


# Resuming


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adam"},
        {"optimizer": "sgd", "learning_rate": 0.01, "layer_rates": (0.1,), "reduction": "euclidean"},
        {"optimizer": "muon", "learning_rate": 5e-4, "layer_rates": (0.5, 0.1)},
        {"upsampling": "pixel_shuffle", "patch_size": 24},
        {"upsampling": "pixel_shuffle", "patch_size": 12, "padding": "zeros", "residual": False},
        {"color": "ycbcr"},
        {"color": "ycbcr", "pretrain": "y", "pretrain_share": 0.4, "optimizer": "muon"},
        {"color": "ycbcr", "pretrain": "cbcr", "pretrain_share": 0.25},
        {"color": "ycbcr", "pretrain": "y", "pretrain_share": 0.8, "optimizer": "sgd", "learning_rate": 0.01},
        {"padding": "zeros", "precision": "fp32"},
        {"activation": "prelu", "layer_rates": (0.5, 0.1)},
        {"stride": 7, "schedule": "step", "clip": 0.1, "augment": False},
        {"pixels": 13_000.0, "schedule": "constant", "initialization": "gaussian", "init_std": 0.05},
        {"loss": "l1", "mse_share": 0.4, "ema": 0.1},
        {"loss": "charbonnier", "mse_share": 0.6, "optimizer": "muon", "cycles": 2},
        {"loss": "psnr", "mse_share": 0.4},
        {"late_patch_size": 20, "late_share": 0.4, "ema": 0.5, "optimizer": "muon"},
        {"late_patch_size": 24, "late_share": 0.8, "stride": 7},
        {"expansion": 2, "optimizer": "muon", "learning_rate": 1e-3},
        {"expansion": 3, "ema": 0.2, "clip": 0.1, "layer_rates": (0.5,)},
        {"expansion": 2, "optimizer": "sgd", "learning_rate": 0.01, "activation": "prelu", "ema": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, fields: dict[str, Any], stop: int) -> None:
    config = configured(**fields)
    whole = [(record(r), weights(r), dict(r.best_weights)) for r in started(config, validate=True)]
    assert len(whole) == 4
    run = started(config, validate=True)
    for result in run:
        if result.epoch == stop:
            save_state(tmp_path / "state.safetensors", result.state())
            break
    state = load_state(tmp_path / "state.safetensors")
    again = [(record(r), weights(r), dict(r.best_weights)) for r in started(config, validate=True, state=state)]
    assert [r for r, _, _ in again] == [r for r, _, _ in whole[stop:]]
    for (_, found, best), (_, expected, expected_best) in zip(again, whole[stop:], strict=True):
        assert same(found, expected)
        assert same(best, expected_best)


def test_a_state_is_a_copy() -> None:
    run = started(configured())
    first = next(run)
    state = first.state()
    kept = {name: value.clone() for name, value in state.tensors.items()}
    next(run)
    assert same(dict(state.tensors), kept)


def test_the_state_of_a_complete_run_has_nothing_to_go_on_with() -> None:
    results = list(started(configured(epochs=2)))
    assert [r.done for r in results] == [False, True]
    assert list(started(configured(epochs=2), state=results[-1].state())) == []


def test_the_state_of_another_configuration_is_refused() -> None:
    state = next(started(configured())).state()
    with pytest.raises(CheckpointError, match=r"different in (learning_rate, seed|seed, learning_rate)"):
        next(started(configured(seed=5, learning_rate=1e-5), state=state))


@pytest.mark.parametrize("numbers", [{"step": 1}, {"epoch": 9}])
def test_a_state_whose_step_is_not_the_last_one_of_its_epoch_is_refused(numbers: dict[str, int]) -> None:
    state = next(started(configured())).state()
    with pytest.raises(CheckpointError, match="must be the last one of its epoch"):
        next(started(configured(), state=TrainState(state.config, state.tensors, {**state.numbers, **numbers})))


def test_a_moment_of_another_shape_is_refused() -> None:
    state = next(started(configured(optimizer="adam"))).state()
    tensors = {**state.tensors, "optimizer.0.exp_avg": state.tensors["optimizer.1.exp_avg"]}
    with pytest.raises(CheckpointError, match=r"optimizer\.0\.exp_avg must have shape"):
        next(started(state.config, state=TrainState(state.config, tensors, state.numbers)))


def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    a, b, c = ([(r.loss, weights(r)) for r in started(configured(seed=seed, epochs=2))] for seed in (1, 1, 2))
    assert [loss for loss, _ in a] == [loss for loss, _ in b]
    assert same(a[-1][1], b[-1][1])
    assert a[0][0] != c[0][0]
    assert not same(a[-1][1], c[-1][1])


def test_torchs_own_generator_has_no_say() -> None:
    torch.manual_seed(1)
    first = weights(next(started(configured())))
    torch.manual_seed(2)
    assert same(weights(next(started(configured()))), first)


# Pre-training on some planes


@pytest.mark.parametrize("reduction", ["mean", "euclidean"])
@pytest.mark.parametrize(("pretrain", "covered"), [("y", [0]), ("cbcr", [1, 2])])
def test_a_step_of_pre_training_follows_the_loss_of_its_planes(
    pretrain: str, covered: list[int], reduction: str
) -> None:
    """The image has one place. The reported loss is that of all planes; those without a loss begin as the bicubic."""
    rate = 1.0 if reduction == "mean" else 1e-3
    config = configured(
        color="ycbcr",
        pretrain=pretrain,
        reduction=reduction,
        patch_size=48,
        batch_size=2,
        epochs=2,
        epoch_pixels=1,
        augment=False,
        optimizer="sgd",
        learning_rate=rate,
        schedule="constant",
        warmup=0.0,
        precision="fp32",
    )
    name, image = photos()[0]
    result = next(fit(config, prepare([(name, image)], 3, color="ycbcr"), device=CPU))
    network = SRCNN(config.architecture)
    network.initialize(config.initialization, config.init_std, torch.Generator().manual_seed(config.seed))
    silent = [c for c in range(3) if c not in covered]
    with torch.no_grad():
        network.convolutions[-1].weight[silent] = 0
    ready = degrade(image, 3, color="ycbcr")
    x, target = (torch.from_numpy(plane.transpose(2, 0, 1))[None] for plane in (ready.bicubic, ready.target))
    squares = (network.train()(x) - target[..., 2:-2, 2:-2]).square()
    assert result.loss == pytest.approx(float(squares.detach().mean()), rel=1e-5)
    loss = squares[:, covered].mean() if reduction == "mean" else squares[:, covered].sum() / 2
    loss.backward()
    for after, before in zip(result.network.parameters(), network.parameters(), strict=True):
        assert before.grad is not None
        step = -rate * before.grad
        torch.testing.assert_close(
            after.detach() - before.detach(), step, rtol=1e-3, atol=float(step.abs().max()) * 1e-3
        )


@pytest.mark.parametrize("upsampling", ["bicubic", "pixel_shuffle"])
@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
@pytest.mark.parametrize(("pretrain", "covered"), [("y", [0]), ("cbcr", [1, 2])])
def test_planes_without_a_loss_stay_the_bicubic_until_fine_tuning(
    pretrain: str, covered: list[int], optimizer: str, upsampling: str
) -> None:
    config = configured(
        color="ycbcr", pretrain=pretrain, optimizer=optimizer, upsampling=upsampling, patch_size=24, learning_rate=1e-3
    )
    ready = degrade(photos()[2][1], 3, color="ycbcr")
    for result in started(config):
        moved = np.abs(reconstruct(result.network, ready) - ready.bicubic).max(axis=(0, 1)) > 0
        assert np.isfinite(result.loss)
        assert moved.tolist() == [c in covered or result.epoch > 2 for c in range(3)]


@pytest.mark.parametrize(
    ("share", "steps"), [(0.5, [10, 20, 10, 20]), (0.6, [10, 20, 6, 16]), (0.01, [10, 20, 30, 40])]
)
@pytest.mark.parametrize("recorded", [False, True])
def test_fine_tuning_begins_with_new_moments(share: float, steps: list[int], recorded: bool) -> None:
    """Adam counts its steps; epochs have ten. A share of 0.01 is less than one step, and so is none."""
    config = configured(color="ycbcr", pretrain="y", pretrain_share=share, epoch_pixels=2560)
    counts = [int(r.state().tensors["optimizer.0.step"]) for r in started(config, recorded=recorded)]
    assert counts == steps


def test_an_epoch_within_pre_training_is_not_the_best() -> None:
    """The run learns in pre-training and is spoilt after it, so a plain maximum would lie within."""
    fields = {"color": "ycbcr", "pretrain": "y", "optimizer": "sgd", "schedule": "step", "step_factor": 1e-30}
    config = configured(**fields, epochs=6, learning_rate=0.02, warmup=0.0, step_at=(0.01,))
    kept = None
    for result in started(config, validate=True):
        assert result.best_val_psnr is not None
        if result.epoch == 3:
            assert result.best_epoch == 3  # the latest, as long as there is none after
            assert result.best_val_psnr == result.val_psnr
            state = result.state()
            spoilt = {**state.tensors, "network.layers.2.bias": torch.full((3,), 0.2)}
            kept = replace(state, tensors=spoilt)
            best = result.best_val_psnr
    assert kept is not None
    results = list(started(config, validate=True, state=kept))
    assert results[0].best_epoch == 4
    assert results[-1].best_epoch > 3
    figures = [r.val_psnr for r in results if r.val_psnr is not None]
    assert max(figures) < best
    assert results[-1].best_val_psnr == max(figures)


# Losses, averages, blocks and larger sub-images


def test_the_reported_loss_is_the_mean_squared_error_whatever_is_minimized() -> None:
    """At a rate of about zero all runs see the same network and the same batches."""
    losses = {
        loss: [r.loss for r in started(configured(loss=loss, epochs=2, learning_rate=1e-12))]
        for loss in ("mse", "l1", "charbonnier", "psnr")
    }
    assert losses["l1"] == pytest.approx(losses["mse"], rel=1e-6)
    assert losses["psnr"] == pytest.approx(losses["mse"], rel=1e-6)
    assert losses["charbonnier"] == pytest.approx(losses["mse"], rel=1e-6)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    ("share", "steps"), [(0.5, [10, 20, 10, 20]), (0.05, [10, 20, 30, 2]), (0.0, [10, 20, 30, 40])]
)
def test_the_squared_error_begins_with_new_moments(share: float, steps: list[int], recorded: bool) -> None:
    config = configured(loss="l1", mse_share=share, epoch_pixels=2560)
    counts = [int(r.state().tensors["optimizer.0.step"]) for r in started(config, recorded=recorded)]
    assert counts == steps


def test_the_last_part_with_the_squared_error_is_a_run_with_it() -> None:
    """From the state at the boundary, where moments are reset, the run goes on as one with mse from a new optimiser."""
    config = configured(loss="l1", mse_share=0.5, epoch_pixels=2560, schedule="constant", warmup=0.0)
    results = started(config)
    next(results)
    state = next(results).state()
    last = list(started(config, state=state))[-1]
    plain = config.replace(loss="mse", mse_share=0.0)
    kept = {name: value for name, value in state.tensors.items() if not name.startswith("optimizer.")}
    expected = list(started(plain, state=TrainState(plain, kept, state.numbers)))[-1]
    for name, value in expected.network.state_dict().items():
        torch.testing.assert_close(last.network.state_dict()[name], value, rtol=1e-5, atol=1e-7)


def test_what_is_validated_and_kept_is_the_average() -> None:
    config = configured(ema=0.2, learning_rate=2e-3, precision="fp32")
    validation = [degrade(image, config.scale, name=name) for name, image in photos()[2:]]
    for result in started(config, validate=True):
        state = result.state().tensors
        assert same(weights(result), {n[8:]: v for n, v in state.items() if n.startswith("average.")})
        assert not same(weights(result), {n[8:]: v for n, v in state.items() if n.startswith("network.")})
        figure = float(np.mean([score(result.network, image).psnr for image in validation]))
        assert result.val_psnr == pytest.approx(figure, abs=5e-3)
    best = SRCNN(config.architecture)
    best.load_state_dict(dict(result.best_weights))
    figure = float(np.mean([score(best, image).psnr for image in validation]))
    assert result.best_val_psnr == pytest.approx(figure, abs=5e-3)


def test_an_average_does_not_change_the_training() -> None:
    plain, averaged = (list(started(configured(ema=ema, epochs=2))) for ema in (0.0, 0.3))
    assert [r.loss for r in plain] == [r.loss for r in averaged]


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
def test_blocks_collapse_to_the_network_that_is_trained_and_kept(optimizer: str) -> None:
    """The reference computes each block as two convolutions, in float64."""
    config = configured(expansion=2, optimizer=optimizer, upsampling="pixel_shuffle", patch_size=24, learning_rate=2e-3)
    *_, result = started(config)
    state = {name: value.double() for name, value in result.state().tensors.items() if value.is_floating_point()}
    assert result.network.state_dict().keys() == SRCNN(config.architecture).state_dict().keys()
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    out, inputs = x, 1
    for i, kernel in enumerate(config.kernels):
        wide, mix = state[f"expansion.wide.{i}"], state[f"expansion.mix.{i}"]
        assert len(wide) == 2 * len(mix)
        out = F.conv2d(out, wide.view(len(wide), kernel, kernel, inputs).permute(0, 3, 1, 2))
        out = F.conv2d(out, mix[:, :, None, None], state[f"network.layers.{i}.bias"])
        out, inputs = (out if i == config.depth - 1 else out.relu()), len(mix)
    collapsed = result.network.double().train()
    base = torch.zeros(2, 1, 48, 48, dtype=torch.float64)
    torch.testing.assert_close(collapsed(x, base), F.pixel_shuffle(out, 3), rtol=1e-4, atol=1e-6)


def test_blocks_begin_as_the_plain_network() -> None:
    """And with the same batches: at a rate of about zero both runs see the same losses."""
    plain, wide = ([r.loss for r in started(configured(expansion=e, epochs=2, learning_rate=1e-12))] for e in (0, 4))
    assert wide == pytest.approx(plain, rel=1e-3)


def test_blocks_begin_with_the_weights_of_a_warm_start() -> None:
    config = configured(learning_rate=1e-12, epochs=1)
    network = SRCNN(config.architecture)
    network.initialize("gaussian", 0.05, torch.Generator().manual_seed(7))
    (result,) = fit(config.replace(expansion=2), prepare(photos()[:2], 3), device=CPU, start=network.state_dict())
    for name, value in result.network.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
def test_blocks_of_planes_without_a_loss_stay_silent(optimizer: str) -> None:
    config = configured(
        color="ycbcr", pretrain="y", pretrain_share=0.5, optimizer=optimizer, learning_rate=1e-3, expansion=2
    )
    ready = degrade(photos()[2][1], 3, color="ycbcr")
    for result in started(config):
        moved = np.abs(reconstruct(result.network, ready) - ready.bicubic).max(axis=(0, 1)) > 0
        assert moved.tolist() == [c == 0 or result.epoch > 2 for c in range(3)]


@pytest.mark.parametrize("recorded", [False, True])
def test_late_sub_images_come_in_the_last_part(recorded: bool) -> None:
    """4 targets of 8x8 pixels a step, then 1 of 20x20: 60 % of 10240 pixels are 16 steps, 3840 pixels are 15."""
    config = configured(patch_size=12, late_patch_size=24, late_share=0.6, epoch_pixels=2560)
    results = list(started(config, recorded=recorded))
    assert [r.step for r in results] == [8, 16, 23, 31]
    assert [r.pixels for r in results] == [8 * 256, 15 * 256 + 400, 15 * 256 + 8 * 400, 15 * 256 + 16 * 400]
    assert results[-1].done
    sizes = config.replace(late_patch_size=None, late_share=0.25)
    assert results[0].loss == pytest.approx(next(started(sizes.replace(pixels=None))).loss, rel=0.5)


# Schedules: epochs of one step each, so that every step's rate is seen


def rates(**fields: Any) -> list[float]:
    config = configured(epochs=100, epoch_pixels=1, learning_rate=0.01, **fields)
    return [r.learning_rate for r in started(config)]


def test_constant_schedule() -> None:
    assert rates(schedule="constant", warmup=0.0) == [0.01] * 100


def test_cosine_schedule() -> None:
    found = rates(schedule="cosine", warmup=0.0)
    assert found == pytest.approx([0.005 * (1 + math.cos(math.pi * t / 100)) for t in range(100)])
    assert found[0] == 0.01
    assert found[50] == pytest.approx(0.005)
    assert found[-1] < 1e-5


def test_step_schedule() -> None:
    found = rates(schedule="step", warmup=0.0)
    assert found == pytest.approx([0.01] * 50 + [0.001] * 25 + [0.0001] * 25)
    assert rates(schedule="step", warmup=0.0, step_at=(0.3,), step_factor=0.5) == pytest.approx(
        [0.01] * 30 + [0.005] * 70
    )


@pytest.mark.parametrize(("growth", "begins"), [(1, [0, 25, 50, 75]), (3, [0, 2.5, 10, 32.5])])
def test_a_cosine_schedule_restarts(growth: float, begins: list[float]) -> None:
    found = rates(schedule="cosine", warmup=0.0, cycles=4, cycle_growth=growth)
    ends = [*begins[1:], 100]
    expected = []
    for t in range(100):
        begin, end = next((b, e) for b, e in zip(begins, ends, strict=True) if t < e)
        expected.append(0.005 * (1 + math.cos(math.pi * (t - begin) / (end - begin))))
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_restart_has_no_warmup() -> None:
    found = rates(schedule="cosine", warmup=0.1, cycles=2)
    assert found[50] == 0.01
    assert found[10:] == rates(schedule="cosine", warmup=0.0, cycles=2)[10:]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_warmup_rises_linearly_to_the_peak(schedule: str) -> None:
    found, without = rates(schedule=schedule, warmup=0.1), rates(schedule=schedule, warmup=0.0)
    rise = np.diff(found[:10])
    assert found[0] == pytest.approx(rise[0])  # the line goes through zero
    assert rise == pytest.approx(rise[0])
    assert found[9] < 0.01
    assert found[10:] == without[10:]


def test_the_factor_of_a_layer_does_not_touch_the_reported_rate() -> None:
    (result,) = started(
        configured(epochs=1, schedule="constant", warmup=0.0, learning_rate=0.01, layer_rates=(0.1, 0.5))
    )
    assert result.learning_rate == 0.01


# Budgets


def test_a_budget_in_epochs() -> None:
    results = list(started(configured(epochs=3, epoch_pixels=2560)))
    assert [r.epoch for r in results] == [1, 2, 3]
    assert [r.step for r in results] == [10, 20, 30]  # 4 targets of 8x8 a step
    assert [r.pixels for r in results] == [2560, 5120, 7680]
    assert all(r.epochs == 3 for r in results)


@pytest.mark.parametrize(
    ("pixels", "epoch_pixels", "steps"),
    [
        (10_000, 2560, [10, 20, 30, 40]),
        (2_000, 10_000, [8]),
        (512, 256, [1, 2]),
        (1, None, [1]),
        (3_000, 1, list(range(1, 13))),
    ],
)
def test_a_budget_in_pixels(pixels: float, epoch_pixels: float | None, steps: list[int]) -> None:
    """The steps are the fewest that reach the budget, in epochs of equal length near the one asked for."""
    results = list(started(configured(pixels=pixels, epoch_pixels=epoch_pixels)))
    assert [r.step for r in results] == steps
    assert results[-1].done
    assert results[-1].pixels - 256 < pixels <= results[-1].pixels


def test_the_length_of_an_epoch_holds_for_a_grid_too() -> None:
    results = list(started(configured(stride=7, epochs=2, epoch_pixels=2560)))
    assert [r.step for r in results] == [10, 20]


def test_progress_is_told() -> None:
    config, told = configured(epochs=2, epoch_pixels=256 * 20), []
    list(fit(config, prepare(photos(), 3), device=CPU, on_step=lambda *numbers: told.append(numbers)))
    assert {(epoch, steps) for epoch, _, steps in told} == {(1, 20), (2, 20)}
    assert [n for n in told if n[1] == 20] == [(1, 20, 20), (2, 20, 20)]
    assert told == sorted(told)


def test_without_validation_the_last_epoch_is_the_best() -> None:
    results = list(started(configured(epochs=2)))
    assert [(r.val_psnr, r.val_gain, r.best_val_psnr, r.best_epoch) for r in results] == [
        (None,) * 3 + (e,) for e in (1, 2)
    ]
    assert same(dict(results[-1].best_weights), weights(results[-1]))


# Refusals and ends


def test_a_run_needs_a_budget() -> None:
    with pytest.raises(ConfigError, match="budget"):
        next(started(TrainConfig(kernels=(3, 3), filters=(2,), patch_size=12)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": 2}, "scale: the data was prepared for 3, but the configuration says 2"),
        ({"color": "rgb"}, "color: the data was prepared for 'y', but the configuration says 'rgb'"),
        ({"protocol": "article"}, "protocol: the data was prepared for 'srcnn', but the configuration says 'article'"),
    ],
)
def test_data_of_another_kind_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        next(fit(configured(**fields), prepare(photos(), 3), device=CPU))


def test_small_images_are_refused() -> None:
    with pytest.raises(DataError, match="patch_size"):
        next(started(configured(patch_size=60)))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_divergence_ends_the_run(optimizer: str) -> None:
    config = configured(
        optimizer=optimizer,
        learning_rate=1e20 if optimizer == "adam" else 1e6,
        schedule="constant",
        warmup=0.0,
        residual=False,
    )
    with pytest.raises(DivergenceError, match=r"loss is (nan|inf) at step \d+ \(epoch \d\)"):
        list(started(config))


def test_a_dead_network_ends_the_run() -> None:
    """With biases this low no unit of the first layer ever switches on, and no gradient reaches its weights."""
    config = configured()
    state = next(started(config)).state()
    low = {**state.tensors, "network.layers.0.bias": torch.full((8,), -100.0)}
    with pytest.raises(DeadNetworkError, match=r"no gradient reaches the first layer at step \d+ \(epoch 2\)"):
        list(started(config, state=replace(state, tensors=low)))


def test_a_black_sub_image_is_no_dead_network() -> None:
    """It gives the first layer's weights no gradient, being zero, and may well be the last one of an epoch."""
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    image[:, 20:] = 0
    config = configured(color="rgb", batch_size=1, epochs=5, epoch_pixels=640, filters=(16, 16), precision="fp32")
    results = list(fit(config, prepare([("half black", image)], 3, color="rgb"), device=CPU))
    assert len(results) == 5


# Precision


def test_bf16_learns_what_fp32_learns() -> None:
    """bfloat16 has 8 bits of mantissa: the losses of the first epoch agree to some percent, the masters stay float32."""
    full, half = (list(started(configured(precision=p, epochs=2)))[-1] for p in ("fp32", "bf16"))
    assert half.loss == pytest.approx(full.loss, rel=0.1)
    assert half.loss != full.loss
    assert {value.dtype for value in weights(half).values()} == {torch.float32}


# The recorded step, which a GPU replays; here it is called


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "muon"},
        {"optimizer": "adam"},
        {"optimizer": "sgd"},
        {"optimizer": "muon", "ema": 0.1, "expansion": 2},
        {"loss": "l1", "mse_share": 0.5, "cycles": 2},
        {"late_patch_size": 20, "late_share": 0.5, "ema": 0.3},
    ],
    ids=str,
)
def test_a_recorded_step_does_what_a_plain_one_does(fields: dict[str, Any]) -> None:
    config = configured(**fields, epochs=3, warmup=0.1, clip=1.0, layer_rates=(0.1,))
    plain = list(started(config))
    recorded = list(started(config, recorded=True))
    assert [r.loss for r in recorded] == pytest.approx([r.loss for r in plain], rel=1e-5)
    for name, weight in plain[-1].network.state_dict().items():
        torch.testing.assert_close(recorded[-1].network.state_dict()[name], weight, rtol=1e-4, atol=1e-6)


def test_a_recorded_step_follows_the_planes_of_the_loss() -> None:
    """What the boundary changes, it changes in place: a recorded step goes on reading the same tensors."""
    config = configured(color="ycbcr", pretrain="cbcr", pretrain_share=0.6, optimizer="muon")
    plain = list(started(config))
    recorded = list(started(config, recorded=True))
    assert [r.loss for r in recorded] == pytest.approx([r.loss for r in plain], rel=1e-5)
    for name, weight in plain[-1].network.state_dict().items():
        torch.testing.assert_close(recorded[-1].network.state_dict()[name], weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
def test_the_boundary_of_pre_training_moves_no_tensor(optimizer: str) -> None:
    config = configured(color="ycbcr", pretrain="y", pretrain_share=0.6, optimizer=optimizer)
    run = Run(config, prepare(photos()[:2], 3, color="ycbcr"), (), CPU, None, recorded=True)

    def places() -> list[int]:
        slots = [value for slots in run.optimizer.state.values() for value in slots.values()]
        assert run.plane_weights is not None
        return [tensor.data_ptr() for tensor in (run.plane_weights, *run.network.parameters(), *slots)]

    run.train_epoch()
    before = places()
    while run.epoch < run.epochs:
        run.train_epoch()
    assert places() == before
    assert run.plane_weights is not None and bool((run.plane_weights == 1).all())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"color": "ycbcr", "pretrain": "y", "pretrain_share": 0.1},
        {"loss": "l1", "mse_share": 0.8, "ema": 0.3, "expansion": 2},
        {"late_patch_size": 20, "late_share": 0.8},
    ],
)
def test_a_recorded_run_resumes_bit_for_bit(fields: dict[str, Any]) -> None:
    config = configured(epochs=4, **fields)
    whole = list(started(config, recorded=True))
    first = next(iter(started(config, recorded=True)))
    rest = list(started(config, recorded=True, state=first.state()))
    assert [r.loss for r in rest] == [r.loss for r in whole[1:]]


def test_a_recorded_run_whose_loss_is_infinite_ends() -> None:
    with pytest.raises(DivergenceError):
        list(started(configured(learning_rate=1e30, optimizer="sgd", epochs=2), recorded=True))
