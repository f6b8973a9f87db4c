"""What a network is: derived sizes and names, and rules over several fields."""

from __future__ import annotations

from typing import Any

import pytest

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError


def test_the_papers_networks() -> None:
    paper = ModelConfig()
    assert (paper.name, paper.depth, paper.border, paper.channels) == ("9-1-5 (64-32)", 3, 12, 1)
    deep = ModelConfig(kernels="9-3-3-5", filters="64-32-16", color="rgb")
    assert (deep.name, deep.depth, deep.border, deep.channels) == ("9-3-3-5 (64-32-16)", 4, 16, 3)
    assert ModelConfig(activation="prelu").name == "9-1-5 (64-32) prelu"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kernels": (9, 2, 5)}, "kernels: every size must be odd and positive, but got 2 in 9-2-5"),
        ({"kernels": (9, -1, 5)}, "kernels: every size must be odd and positive, but got -1"),
        ({"kernels": (9,), "filters": ()}, "kernels: must have at least two layers, but got 9"),
        (
            {"filters": (64,)},
            "filters: must have one number for each layer except the last, 2 for kernels 9-1-5, but got 64",
        ),
        ({"filters": (64, 0)}, "filters: every number must be at least 1, but got 64-0"),
        ({"scale": 5}, "scale: .*less than or equal to 4, but got 5"),
        ({"color": "hsv"}, "color: .*but got 'hsv'"),
        ({"activation": "gelu"}, "activation: .*'relu' or 'prelu', but got 'gelu'"),
    ],
)
def test_a_broken_rule_names_the_field_and_the_value(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kernels": (3,) * 101, "filters": (4,) * 100}, "kernels: must have at most 100 layers, but got 101"),
        ({"kernels": "101-1-5"}, "kernels: every size must be at most 99, but got 101 in 101-1-5"),
        ({"filters": "4097-1"}, "filters: every number must be at most 4096, but got 4097 in 4097-1"),
        (
            {"kernels": "9-3-5", "filters": "4096-1024"},
            r"filters: the network must have at most 32,000,000 weights, but 9-3-5 \(4096-1024\) has 38,106,112",
        ),
        ({"kernels": "9" * 19 + "-1-5"}, "kernels: must be whole numbers of at most 18 digits"),
    ],
)
def test_sizes_have_bounds_far_above_any_use(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^{says}"):
        ModelConfig(**fields)


def test_the_weights_of_the_papers_network() -> None:
    """TPAMI 2016: 9-1-5 has 8,032 parameters without biases."""
    assert ModelConfig().weights == 8032
    small = ModelConfig(kernels="3-3", filters="4", upsampling="pixel_shuffle", scale=2, color="rgb")
    assert (small.outputs, small.weights) == (12, 9 * (3 * 4 + 4 * 12))
