"""The chain's outputs and gradients against autograd over ordinary convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from srcnn.model.fast_convolutions import chain

NETWORKS = [
    ((9, 1, 5), (1, 64, 32, 1)),
    ((9, 5, 5), (1, 64, 32, 1)),
    ((11, 1, 7), (1, 24, 12, 1)),
    ((9, 3, 5), (3, 16, 32, 3)),
    ((5, 1, 3), (1, 16, 8, 9)),  # a pixel shuffle of 3: too many outputs for shifted planes
    ((5, 3, 3, 3), (3, 16, 8, 24, 4)),
    ((3, 1), (1, 8, 1)),
    ((1, 1, 1), (1, 8, 8, 2)),
]


def ordinary(x: Tensor, weights: list[Tensor], biases: list[Tensor], pad: bool, slopes: list[Tensor]) -> Tensor:
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = F.conv2d(x, w, b, padding=w.shape[-1] // 2 if pad else 0)
        if i < len(weights) - 1:
            x = F.prelu(x, slopes[i]) if slopes else F.relu(x)
    return x


def distance(a: list[Tensor], b: list[Tensor]) -> float:
    flat_a, flat_b = (torch.cat([t.detach().flatten() for t in tensors]) for tensors in (a, b))
    return float((flat_a - flat_b).norm() / flat_b.norm())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("activation", ["relu", "prelu"])
@pytest.mark.parametrize(("kernels", "widths"), NETWORKS)
def test_outputs_and_gradients_are_those_of_autograd(
    kernels: tuple[int, ...], widths: tuple[int, ...], activation: str, pad: bool, precision: str
) -> None:
    draw = torch.Generator().manual_seed(1)
    weights, biases, slopes = [], [], []
    for n_in, n_out, k in zip(widths[:-1], widths[1:], kernels, strict=True):
        weights.append((torch.randn(n_out, n_in, k, k, generator=draw) * (2 / (n_in * k * k)) ** 0.5).requires_grad_())
        biases.append((torch.randn(n_out, generator=draw) * 0.1).requires_grad_())
    for width in widths[1:-1] if activation == "prelu" else ():
        slopes.append((torch.rand(width, generator=draw) * 1.5 - 0.5).requires_grad_())  # of both signs
    side = sum(k - 1 for k in kernels) + 13
    x = torch.rand(3, widths[0], side, side + 4, generator=draw)
    expected = ordinary(x, weights, biases, pad, slopes)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        output = chain(x, weights, biases, pad=pad, slopes=slopes).float()
    target = torch.rand(expected.shape, generator=draw)
    got = torch.autograd.grad(F.mse_loss(output, target), weights + biases + slopes)
    wanted = torch.autograd.grad(F.mse_loss(expected, target), weights + biases + slopes)

    assert output.shape == expected.shape
    assert [g.shape for g in got] == [g.shape for g in wanted]
    assert distance([output], [expected]) < (1e-5 if precision == "fp32" else 2e-2)
    assert distance(list(got), list(wanted)) < (1e-5 if precision == "fp32" else 2e-2)
    if slopes:  # the others are larger and would hide a mistake
        assert distance(list(got[-len(slopes) :]), list(wanted[-len(slopes) :])) < (
            1e-5 if precision == "fp32" else 5e-2
        )
