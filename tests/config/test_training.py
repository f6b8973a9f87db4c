"""Every rule of a configuration is checked when it is made, and its refusal names the field and the value."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from srcnn.config.architecture import ModelConfig
from srcnn.config.presets import PRESETS, preset
from srcnn.config.quantities import format_sizes, parse_pixels
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ({"kernels": (9, 2, 5)}, "kernels", "2 in 9-2-5"),
        ({"kernels": (9, 0, 5)}, "kernels", "0 in 9-0-5"),
        ({"kernels": (9, -1, 5)}, "kernels", "-1"),
        ({"kernels": (9,), "filters": ()}, "kernels", "9"),
        ({"kernels": "9-x-5"}, "kernels", "'9-x-5'"),
        ({"kernels": "9--5"}, "kernels", "'9--5'"),
        ({"kernels": ""}, "kernels", "''"),
        ({"kernels": 9}, "kernels", "9"),
        ({"filters": (64,)}, "filters", "64"),
        ({"filters": (64, 32, 16)}, "filters", "64-32-16"),
        ({"filters": (64, 0)}, "filters", "64-0"),
        ({"scale": 5}, "scale", "5"),
        ({"scale": 1}, "scale", "1"),
        ({"scale": "three"}, "scale", "'three'"),
        ({"scale": 2.5}, "scale", "2.5"),
        ({"upsampling": "nearest"}, "upsampling", "'nearest'"),
        ({"color": "cmyk"}, "color", "'cmyk'"),
        ({"padding": "same"}, "padding", "'same'"),
        ({"residual": "perhaps"}, "residual", "'perhaps'"),
        ({"protocol": "matlab"}, "protocol", "'matlab'"),
        ({"reduction": "sum"}, "reduction", "'sum'"),
        ({"pretrain": "cr", "color": "ycbcr"}, "pretrain", "'cr'"),
        ({"pretrain": "y"}, "pretrain", "y needs color ycbcr, but got y"),
        ({"pretrain": "cbcr", "color": "rgb"}, "pretrain", "cbcr needs color ycbcr, but got rgb"),
        ({"pretrain_share": 0}, "pretrain_share", "0"),
        ({"pretrain_share": 1}, "pretrain_share", "1"),
        ({"initialization": "zero"}, "initialization", "'zero'"),
        ({"init_std": 0}, "init_std", "0"),
        ({"optimizer": "lion"}, "optimizer", "'lion'"),
        ({"momentum": 1}, "momentum", "1"),
        ({"momentum": -0.1}, "momentum", "-0.1"),
        ({"learning_rate": 0}, "learning_rate", "0"),
        ({"learning_rate": -1e-3}, "learning_rate", "-0.001"),
        ({"learning_rate": math.inf}, "learning_rate", "inf"),
        ({"learning_rate": math.nan}, "learning_rate", "nan"),
        ({"layer_rates": (1, 1, 1, 0.1)}, "layer_rates", "4"),
        ({"layer_rates": (1, -0.1)}, "layer_rates", "-0.1"),
        ({"layer_rates": "1,fast"}, "layer_rates", "'1,fast'"),
        ({"schedule": "linear"}, "schedule", "'linear'"),
        ({"warmup": 1}, "warmup", "1"),
        ({"warmup": -0.1}, "warmup", "-0.1"),
        ({"step_at": (0.5, 1.0)}, "step_at", "1.0"),
        ({"step_at": (0.0,)}, "step_at", "0.0"),
        ({"step_factor": 1}, "step_factor", "1"),
        ({"clip": 0}, "clip", "0"),
        ({"batch_size": 0}, "batch_size", "0"),
        ({"test_batch_size": 0}, "test_batch_size", "0"),
        ({"stride": 0}, "stride", "0"),
        ({"epochs": 0}, "epochs", "0"),
        ({"pixels": 0}, "pixels", "0"),
        ({"epoch_pixels": -1}, "epoch_pixels", "-1"),
        ({"epochs": 3, "pixels": 1e6}, "epochs", "pixels 1e+06"),
        ({"seed": -1}, "seed", "-1"),
        ({"seed": 2**63}, "seed", str(2**63)),
        ({"precision": "fp16"}, "precision", "'fp16'"),
        ({"patch_size": 0}, "patch_size", "0"),
        ({"patch_size": 12}, "patch_size", "12"),  # 9-1-5 takes 12 pixels off
        ({"patch_size": 36, "upsampling": "pixel_shuffle"}, "patch_size", "36"),  # 12 small pixels
        ({"patch_size": 40, "upsampling": "pixel_shuffle"}, "patch_size", "40"),  # not a multiple of 3
        # The article's protocol cuts the side to a multiple of the scale, and pads with zeros or not like any other.
        ({"patch_size": 3, "protocol": "article", "padding": "zeros", "scale": 4}, "patch_size", "3"),
        ({"patch_size": 14, "protocol": "article", "scale": 4}, "patch_size", "14"),
    ],
    ids=str,
)
def test_a_broken_rule_names_the_field_and_the_value(fields: dict[str, Any], field: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**fields)
    message = str(caught.value)
    assert message.startswith(f"{field}: ")
    assert value in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "fields",
    [
        {"patch_size": 13},
        {"patch_size": 39, "upsampling": "pixel_shuffle"},
        {"patch_size": 1, "padding": "zeros"},
        {"layer_rates": (0, 1, 0.1)},
        {"momentum": 0, "warmup": 0},
        {"scale": 2},
        {"scale": 4},
        {"seed": 2**63 - 1},
        {"pretrain": "cbcr", "pretrain_share": 1e-9, "color": "ycbcr"},
        {"pretrain_share": 0.3},  # says nothing where there is no pre-training
    ],
    ids=str,
)
def test_the_edge_of_a_rule_is_allowed(fields: dict[str, Any]) -> None:
    TrainConfig(**fields)


@pytest.mark.parametrize(
    ("wrong", "right"), [("kernel", "kernels"), ("lr", "learning_rate"), ("optimiser", "optimizer")]
)
def test_an_unknown_field_lists_the_nearest_first(wrong: str, right: str) -> None:
    with pytest.raises(ConfigError, match=f"field '{wrong}' does not exist") as caught:
        TrainConfig(**{wrong: 1})
    assert right in str(caught.value)
    if wrong != "lr":
        assert f"did you mean {right!r}?" in str(caught.value)


@pytest.mark.parametrize("text", ["9-1-5", "9,1,5", " 9 - 1 - 5 "])
def test_sizes_may_be_a_string(text: str) -> None:
    assert ModelConfig(kernels=text).kernels == (9, 1, 5)


def test_sizes_and_numbers_may_be_lists_or_strings() -> None:
    config = TrainConfig(kernels=[9, 3, 5], filters="64-32", layer_rates="1,0.1", step_at=[0.3])
    assert (config.kernels, config.filters, config.layer_rates, config.step_at) == (
        (9, 3, 5),
        (64, 32),
        (1, 0.1),
        (0.3,),
    )


def test_no_numbers_may_be_the_empty_string() -> None:
    assert TrainConfig(layer_rates="").layer_rates == ()


def test_sizes_are_named_as_in_the_papers() -> None:
    assert format_sizes((9, 1, 5)) == "9-1-5"
    assert ModelConfig().name == "9-1-5 (64-32)"


CONFIGS = [
    TrainConfig(),
    TrainConfig(
        kernels=(9, 3, 3, 5), filters=(64, 32, 16), layer_rates=(0.1,), clip=0.5, pixels=1.5e8, epoch_pixels=1e6
    ),
    TrainConfig(**preset("paper"), epochs=7),
    TrainConfig(**preset("article")),
    TrainConfig(color="ycbcr", pretrain="y", pretrain_share=0.3),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_survives_json_and_dicts(config: TrainConfig) -> None:
    assert TrainConfig.from_json(config.model_dump_json()) == config
    assert TrainConfig(**config.model_dump()) == config
    assert TrainConfig(**json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "JSON"),
        ('{"scale": 7}', "scale: .* 7"),
        ('{"scales": 3}', "field 'scales' does not exist; did you mean 'scale'"),
        ("[]", "object|dict"),
    ],
)
def test_json_that_is_wrong_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_json(text)


def test_frozen() -> None:
    config = TrainConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.scale = 2  # type: ignore[misc]
    assert config.scale == 3


def test_replace_changes_a_copy_and_checks_it() -> None:
    config = TrainConfig(scale=2, epochs=3)
    changed = config.replace(scale=4)
    assert (config.scale, changed.scale, changed.epochs) == (2, 4, 3)
    with pytest.raises(ConfigError, match="scale"):
        config.replace(scale=5)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build(name: str) -> None:
    TrainConfig(**preset(name))


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="preset 'papers' does not exist; did you mean 'paper'"):
        preset("papers")


def test_a_preset_is_a_copy() -> None:
    preset("paper")["scale"] = 99
    assert "scale" not in PRESETS["paper"]


def test_the_paper_preset_is_the_papers() -> None:
    """TPAMI 2016, sections 3.3 and 4.1: 33x33 inputs, 21x21 targets, rates 1e-4 and 1e-5, momentum 0.9, std 0.001."""
    config = TrainConfig(**preset("paper"))
    assert (config.kernels, config.filters) == ((9, 1, 5), (64, 32))
    assert (config.patch_size, config.output_size, config.stride) == (33, 21, 14)
    assert [config.learning_rate * rate for rate in config.rates] == pytest.approx([1e-4, 1e-4, 1e-5])
    assert (config.optimizer, config.momentum, config.init_std, config.batch_size) == ("sgd", 0.9, 0.001, 128)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"patch_size": 33}, 21),
        ({"patch_size": 33, "kernels": "9-5-5"}, 17),
        ({"patch_size": 33, "padding": "zeros"}, 33),
        ({"patch_size": 60, "scale": 3, "upsampling": "pixel_shuffle"}, 24),  # 20 - 12 small pixels
    ],
)
def test_output_size(fields: dict[str, Any], size: int) -> None:
    assert TrainConfig(**fields).output_size == size


def test_layer_rates_are_aligned_to_the_last_layer() -> None:
    assert TrainConfig(layer_rates=(0.5, 0.1)).rates == (1.0, 0.5, 0.1)
    assert TrainConfig().rates == (1.0, 1.0, 1.0)


def test_the_architecture_is_the_network_alone() -> None:
    config = TrainConfig(kernels="9-3-5", scale=4, color="rgb", epochs=3)
    assert config.architecture == ModelConfig(kernels=(9, 3, 5), scale=4, color="rgb")
    assert type(config.architecture) is ModelConfig
    assert (config.channels, config.depth, config.border) == (3, 3, 14)


@pytest.mark.parametrize(
    ("text", "pixels"), [("8M", 8e6), ("500k", 5e5), ("1.5m", 1.5e6), ("2e6", 2e6), ("60e+6", 6e7), ("1G", 1e9)]
)
def test_budgets_in_pixels_are_read(text: str, pixels: float) -> None:
    assert parse_pixels(text, "budget") == pixels
    assert TrainConfig(pixels=text).pixels == pixels


@pytest.mark.parametrize("text", ["", "x", "-1M", "0", "3 T"])
def test_a_budget_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"^budget: must be a number of training pixels such as .* got '{text}'$"):
        parse_pixels(text, "budget")
    with pytest.raises(ConfigError, match=rf"^pixels: must be a number of training pixels such as .* got '{text}'$"):
        TrainConfig(pixels=text)
