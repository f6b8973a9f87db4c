from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN
from srcnn.training.expansion import Expansion
from srcnn.training.optimizers import Muon, make_optimizer, orthogonal, orthogonal_all, orthogonal_through


@pytest.mark.parametrize("shape", [(64, 81), (32, 1600), (64, 9), (1, 25)])
def test_orthogonal_makes_every_singular_value_about_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(0))))

    assert float(values.min()) > 0.6
    assert float(values.max()) < 1.25


@pytest.mark.parametrize(("width", "shape"), [(64, (32, 288)), (6, (3, 200)), (96, (48, 9)), (8, (4, 4))])
def test_orthogonal_through_a_factor_is_that_of_the_product(width: int, shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    left, matrix = torch.randn(shape[0], width, generator=draw), torch.randn(shape, generator=draw)
    expected = orthogonal(left.double().t() @ matrix.double())
    torch.testing.assert_close(orthogonal_through(left, matrix).double(), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(orthogonal_through(left.double(), matrix.double()), expected, rtol=1e-9, atol=1e-10)
    assert not bool(orthogonal_through(left, torch.zeros(shape)).any())


def test_matrices_together_are_what_each_is_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    shapes = [(48, 9), (32, 432), (32, 288), (32, 288), (64, 32), (9, 9), (16, 200)]
    matrices = [torch.randn(shape, generator=draw) for shape in shapes]
    for matrix, found in zip(matrices, orthogonal_all(matrices), strict=True):
        assert found.shape == matrix.shape
        torch.testing.assert_close(found, orthogonal(matrix), rtol=0, atol=1e-5)  # sides below 16 differ in rounding
    assert list(orthogonal_all([])) == []


def test_a_zero_gradient_moves_nothing() -> None:
    matrix, bias = (torch.nn.Parameter(torch.ones(shape)) for shape in ((4, 1, 3, 3), (4,)))
    matrix.grad, bias.grad = torch.zeros_like(matrix), torch.zeros_like(bias)
    Muon([{"params": [matrix], "matrix": True}, {"params": [bias]}], lr=0.1).step()

    assert torch.equal(matrix, torch.ones(4, 1, 3, 3))
    assert torch.equal(bias, torch.ones(4))


def test_the_rate_is_the_length_of_a_step() -> None:
    draw = torch.Generator().manual_seed(0)
    matrix, bias = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((4, 1, 3, 3), (4,)))
    matrix.grad, bias.grad = torch.randn(4, 1, 3, 3, generator=draw), torch.randn(4, generator=draw)
    Muon([{"params": [matrix], "matrix": True}, {"params": [bias]}], lr=1e-3).step()

    assert torch.allclose(bias, -1e-3 * bias.grad.sign())
    assert 0.06 < float(torch.linalg.matrix_norm(matrix.detach().view(4, 9), 2)) < 0.125  # a hundred times as far


@pytest.mark.parametrize("expansion", [0, 3])
def test_weight_decay_shrinks_the_weights_alone(expansion: int) -> None:
    """Loshchilov and Hutter: the decay does not go through the averaged gradients. A step has a length of 100 rates."""
    config = TrainConfig(kernels="3-3-3", filters="4-4", scale=3, weight_decay=0.5, expansion=expansion)
    network = SRCNN(config.architecture)
    blocks = Expansion(network, expansion, 0) if expansion else None
    before = [layer.weight.detach().clone() for layer in network.convolutions]
    optimizer = make_optimizer(config, network, blocks)
    rates = [1e-3, 3e-3, 2e-3]
    for rate in rates:
        for parameter in (*network.parameters(), *(blocks.parameters() if blocks else ())):
            parameter.grad = torch.zeros_like(parameter)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        optimizer.step()
    if blocks is not None:
        blocks.collapse(network)
    kept = math.exp(-0.5 * 100 * sum(rates))
    for layer, old, factor in zip(network.convolutions, before, (kept, kept, 1.0), strict=True):
        torch.testing.assert_close(layer.weight.detach(), factor * old, rtol=1e-4, atol=1e-6)


def test_weight_decay_bounds_the_singular_values() -> None:
    draw = torch.Generator().manual_seed(0)
    matrix = torch.nn.Parameter(torch.zeros(4, 9))
    optimizer = Muon([{"params": [matrix], "matrix": True, "decay": 0.2 * 100}], lr=5e-3)
    always = torch.randn(4, 9, generator=draw)  # all steps go the same way: without decay they would add up to 100
    for _ in range(200):
        matrix.grad = always.clone()
        optimizer.step()
    values = torch.linalg.svdvals(matrix.detach())
    assert 0.7 / 0.2 < float(values[0]) < 1.25 / 0.2


def test_training_does_not_load_torchs_compiler() -> None:
    """Its import takes two seconds of every process that trains."""
    code = """
import sys, numpy as np, torch
from srcnn import TrainConfig
from srcnn.training.patches import prepare
from srcnn.training.fit import fit
image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
config = TrainConfig(kernels="3-1-3", filters=(4, 4), patch_size=12, epochs=2, epoch_pixels=2000)
first = next(iter(fit(config, prepare([("a", image)], 3), device=torch.device("cpu"))))
list(fit(config, prepare([("a", image)], 3), device=torch.device("cpu"), state=first.state()))
print([name for name in sys.modules if name.startswith("torch._dynamo")][:3])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("shape", [(8, 20), (12, 12)])  # torch lengthens the steps of tall matrices, and ours does not
def test_a_matrix_steps_as_with_torchs_muon(shape: tuple[int, int]) -> None:
    draw = torch.Generator().manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.zeros(shape)) for _ in range(2))
    own = Muon([{"params": [ours], "matrix": True}], lr=1e-3)
    reference = torch.optim.Muon([theirs], lr=0.1, momentum=0.9, weight_decay=0.0)
    for _ in range(3):
        gradient = torch.randn(shape, generator=draw)
        for parameter, optimizer in ((ours, own), (theirs, reference)):
            parameter.grad = gradient.clone()
            optimizer.step()
    # torch's iteration runs in bf16, whose numbers have three digits.
    difference = torch.linalg.matrix_norm(ours.detach() - theirs.detach(), ord=2)
    assert difference < 0.05 * torch.linalg.matrix_norm(theirs.detach(), ord=2)


@pytest.mark.parametrize("optimizer", ["muon", "adam", "sgd"])
def test_slopes_are_no_matrices_and_have_the_factor_of_their_layer(optimizer: str) -> None:
    config = TrainConfig(activation="prelu", optimizer=optimizer, layer_rates=(0.5, 1.0, 0.1))
    network = SRCNN(config.architecture)
    groups = make_optimizer(config, network).param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    for slopes, factor in zip(network.slopes, (0.5, 1.0), strict=True):
        (group,) = (group for group in groups if any(p is slopes for p in group["params"]))
        assert (group["factor"], group["matrix"]) == (factor, False)
