"""Losses against sums in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.training.losses import training_loss


def planes(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": "mse"},
        {"loss": "l1"},
        {"loss": "charbonnier"},
        {"loss": "charbonnier", "charbonnier_epsilon": 0.5},
        {"loss": "psnr"},
        {"loss": "mse", "reduction": "euclidean"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("part", [None, 0.0, 1.0])
def test_losses_are_the_sums_of_their_formulas(fields: dict[str, Any], weighted: bool, part: float | None) -> None:
    config, output, target = TrainConfig(**fields), planes(0), planes(1)
    plane_weights = torch.tensor([3.0, 0.0, 1.0]).view(3, 1, 1) if weighted else None
    mse_part = None if part is None else torch.tensor(part)
    loss, mse = training_loss(config, output, target, plane_weights, mse_part)
    error = output.double().numpy() - target.double().numpy()
    squares = error**2
    assert float(mse) == pytest.approx(squares.mean(), rel=1e-6)
    each = {
        "mse": squares,
        "l1": np.abs(error),
        "charbonnier": np.sqrt(squares + config.charbonnier_epsilon**2),
        "psnr": squares,
    }[config.loss]
    each = squares if part == 1.0 else each
    if weighted:
        each = each * np.array([3.0, 0.0, 1.0]).reshape(3, 1, 1)
    if config.loss == "psnr" and part != 1.0:
        expected = np.log(each.reshape(len(output), -1).mean(axis=1) + 1e-4).mean()
        assert float(loss) == pytest.approx(expected, rel=1e-5)
        return
    expected = each.mean() if config.reduction == "mean" else each.sum() / (2 * len(output))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", "l1", "charbonnier", "psnr"])
def test_gradients_are_finite_where_the_error_is_zero(loss: str) -> None:
    output = planes(0).requires_grad_()
    training_loss(TrainConfig(loss=loss), output, planes(0))[0].backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert not bool(output.grad.any())


def test_charbonnier_lies_between_the_others() -> None:
    """Far above epsilon it is the absolute error; far below, the squared error divided by twice epsilon, beside a constant."""
    target = torch.zeros(1, 1, 2, 2)
    for size, expected in ((1.0, 1.0), (1e-5, 1e-5 / 1e-3)):
        output = torch.full((1, 1, 2, 2), size, requires_grad=True)
        training_loss(TrainConfig(loss="charbonnier"), output, target)[0].backward()  # type: ignore[no-untyped-call]
        assert output.grad is not None
        assert float(output.grad.sum()) == pytest.approx(expected, rel=1e-3)


def test_bfloat16_output_is_measured_in_float32() -> None:
    output, target = planes(0).bfloat16(), planes(1)
    loss, mse = training_loss(TrainConfig(loss="l1"), output, target)
    assert loss.dtype == mse.dtype == torch.float32


def test_the_psnr_loss_is_the_mean_psnr_of_sub_images() -> None:
    output, target = planes(0), planes(1)
    loss, _ = training_loss(TrainConfig(loss="psnr"), output, target)
    errors = (output.double() - target.double()).square().mean(dim=(1, 2, 3)).numpy()
    assert -10 / np.log(10) * float(loss) == pytest.approx(float(np.mean(-10 * np.log10(errors))), abs=1e-2)
