"""The average of weights against its formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.training.weight_average import WeightAverage


def network() -> SRCNN:
    return SRCNN(ModelConfig(kernels=(3, 3), filters=(4,)))


def step(source: SRCNN, draw: torch.Generator) -> None:
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))


def test_the_first_update_forgets_the_initial_weights() -> None:
    source = network()
    average = WeightAverage(source, 1000.0)
    step(source, torch.Generator().manual_seed(0))
    average.update()
    for mine, theirs in zip(average.network.parameters(), source.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("horizon", [0.3, 1.0, 3.0, 1e6])
def test_updates_follow_the_formula(horizon: float) -> None:
    source, draw = network(), torch.Generator().manual_seed(1)
    average = WeightAverage(source, horizon)
    expected = np.zeros(4)
    for t in range(40):
        step(source, draw)
        average.update()
        bias = source.convolutions[0].bias
        assert bias is not None
        share = max(1 / max(horizon, 1.0), 10 / (10 + t))
        expected += share * (bias.detach().double().numpy() - expected)
    found = average.network.convolutions[0].bias
    assert found is not None
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_it_changes_nothing_else_and_goes_on_from_what_was_saved() -> None:
    source, draw = network(), torch.Generator().manual_seed(2)
    average, resumed = WeightAverage(source, 30.0), WeightAverage(source, 30.0)
    for t in range(6):
        step(source, draw)
        before = [p.detach().clone() for p in source.parameters()]
        places = {name: value.data_ptr() for name, value in average.changes().items()}
        average.update()
        assert {name: value.data_ptr() for name, value in average.changes().items()} == places
        assert all(torch.equal(a, b) for a, b in zip(before, source.parameters(), strict=True))
        if t == 2:
            resumed.restore({name: value.clone() for name, value in average.network.state_dict().items()}, 3)
        if t > 2:
            resumed.update()
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    for mine, theirs in zip(average.changes().values(), resumed.changes().values(), strict=True):
        assert torch.equal(mine, theirs)
