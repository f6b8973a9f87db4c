"""Warm start: which layers are taken from another network, and what a run makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.shared_layers import shapes_of, shared_layers
from srcnn.model.weights_digest import weights_digest
from srcnn.training.fit import fit
from srcnn.training.patches import TrainingData, prepare
from srcnn.training.warm_start import take_over

CPU = torch.device("cpu")


def configured(**fields: Any) -> TrainConfig:
    small: dict[str, Any] = {
        "kernels": (3, 3, 3),
        "filters": (8, 6),
        "patch_size": 12,
        "batch_size": 4,
        "epochs": 2,
        "epoch_pixels": 3000,
        "upsampling": "pixel_shuffle",
        "padding": "zeros",
    }
    return TrainConfig(**{**small, **fields})


def data(scale: int) -> TrainingData:
    return prepare([(name, image[100:148, 100:148]) for name, image in load("sample/train").images[:2]], scale)


def trained(**fields: Any) -> dict[str, torch.Tensor]:
    network = SRCNN(configured(**fields).architecture)
    network.initialize("gaussian", 0.1, torch.Generator().manual_seed(9))
    for layer in network.convolutions:
        assert layer.bias is not None
        layer.bias.data.fill_(0.25)
    return network.state_dict()


def test_all_layers_but_the_last_come_from_another_scale() -> None:
    start, config = trained(scale=2), configured(scale=3)
    network = SRCNN(config.architecture)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert take_over(network, start) == shared_layers(config, shapes_of(start)) == (0, 1)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith("layers.2.") else start[name])


def test_a_layer_is_taken_whole_or_not_at_all() -> None:
    """The bias of layer 0 has the same shape, its weights have not."""
    start = trained(kernels=(5, 3, 3))
    network = SRCNN(configured().architecture)
    assert take_over(network, start) == (1, 2)
    bias = network.convolutions[0].bias
    assert bias is not None
    assert not bool(bias.any())


def test_weights_without_a_common_layer_are_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^start: must have a layer of the same shape as in 3-3-3 \(8-6\) at x3 \(.*\), but got 5x1x3x3",
    ):
        take_over(SRCNN(configured().architecture), trained(filters=(5, 4), scale=2))
    with pytest.raises(ConfigError, match="but got none"):
        take_over(SRCNN(configured().architecture), {})


def test_a_run_begins_with_the_weights_and_says_which() -> None:
    start, config = trained(scale=2), configured(learning_rate=1e-12)
    results = list(fit(config, data(3), device=CPU, start=start))
    assert [r.taken for r in results] == [(0, 1), (0, 1)]
    cold = list(fit(config, data(3), device=CPU))
    assert [r.taken for r in cold] == [(), ()]
    for name, value in results[-1].network.state_dict().items():
        expected = cold[-1].network.state_dict()[name] if name.startswith("layers.2.") else start[name]
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)


def test_a_resumed_state_wins() -> None:
    config = configured(epochs=3)
    whole = list(fit(config, data(3), device=CPU, start=trained()))
    state = next(fit(config, data(3), device=CPU, start=trained())).state()
    rest = list(fit(config, data(3), device=CPU, start=trained(scale=2), state=state))
    assert [r.loss for r in rest] == [r.loss for r in whole[1:]]
    assert rest[-1].taken == ()


def test_the_network_that_gave_the_weights_is_not_changed() -> None:
    start = trained()
    kept = {name: value.clone() for name, value in start.items()}
    list(fit(configured(), data(3), device=CPU, start=start))
    assert all(torch.equal(value, kept[name]) for name, value in start.items())


def test_a_configuration_that_names_a_start_needs_its_weights() -> None:
    """This package does not read them, so that a run never begins with other weights than those of its record."""
    weights = trained(scale=2)
    named = configured(start="net.safetensors", start_digest=weights_digest(weights))
    with pytest.raises(ConfigError, match=r"start: the weights of net\.safetensors must be given to a new run"):
        next(fit(named, data(3), device=CPU))
    other = {name: value + 1 for name, value in weights.items()}
    with pytest.raises(ConfigError, match=r"start: the weights of net\.safetensors must have digest"):
        next(fit(named, data(3), device=CPU, start=other))
    first = next(fit(named, data(3), device=CPU, start=weights))
    again = list(fit(named, data(3), device=CPU, state=first.state()))  # the state has the weights
    whole = list(fit(named, data(3), device=CPU, start=weights))
    assert all(torch.equal(value, whole[-1].best_weights[name]) for name, value in again[-1].best_weights.items())
    with pytest.raises(CheckpointError, match="different in start_digest"):
        next(fit(named.replace(start_digest="1" * 64), data(3), device=CPU, state=first.state()))
