"""Layers that two networks have in common: decided by shapes alone, as the networks themselves have them."""

from __future__ import annotations

import pytest

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.shared_layers import check_shared, layer_of, shapes_of, shared_layers


def shapes(**fields: object) -> dict[str, tuple[int, ...]]:
    return shapes_of(SRCNN(ModelConfig(**{"kernels": (9, 1, 5), "filters": (8, 6), **fields})).state_dict())


def test_layers_are_shared_by_number_and_shape() -> None:
    config = ModelConfig(kernels=(9, 1, 5), filters=(8, 6), scale=3, upsampling="pixel_shuffle")
    assert shared_layers(config, shapes(scale=3, upsampling="pixel_shuffle")) == (0, 1, 2)
    assert shared_layers(config, shapes(scale=2, upsampling="pixel_shuffle")) == (0, 1)
    assert shared_layers(config, shapes(kernels=(9, 3, 5))) == (0,)
    assert shared_layers(config, shapes(kernels=(9, 5), filters=(8,))) == (0,)
    assert shared_layers(config, shapes(filters=(4, 4))) == ()
    assert shared_layers(config, {}) == ()


def test_the_slopes_of_a_layer_belong_to_it() -> None:
    config = ModelConfig(kernels=(9, 1, 5), filters=(8, 6), activation="prelu")
    assert shared_layers(config, shapes()) == (0, 1, 2)  # slopes that only one network has do not count
    assert shared_layers(config, {**shapes(activation="prelu"), "slopes.1": (7,)}) == (0, 2)
    assert (layer_of("layers.12.weight"), layer_of("slopes.3")) == (12, 3)


def test_networks_without_a_common_layer_are_named_with_their_shapes() -> None:
    config = ModelConfig(kernels=(3, 3), filters=(8,))
    with pytest.raises(ConfigError) as caught:
        check_shared(config, shapes(), "a.safetensors")
    assert str(caught.value) == (
        "start: a.safetensors must have a layer of the same shape as in 3-3 (8) at x3 (8x1x3x3, 1x8x3x3), but got "
        "8x1x9x9, 6x8x1x1, 1x6x5x5"
    )
    with pytest.raises(ConfigError, match=r"but got none$"):
        check_shared(config, {})
    deep = shapes_of(SRCNN(ModelConfig(kernels=(5,) * 9, filters=(2,) * 8)).state_dict())
    with pytest.raises(ConfigError, match=r"2x2x5x5 and 3 more$"):
        check_shared(config, deep)
