"""A training run's configuration: every rule is checked when it is made, and its refusal names the field and the value."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from srcnn.config.presets import preset
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
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
        ({"loss": "huber"}, "loss", "'huber'"),
        ({"loss": "l1", "reduction": "euclidean"}, "loss", "l1 needs reduction mean, but got euclidean"),
        ({"charbonnier_epsilon": 0}, "charbonnier_epsilon", "0"),
        ({"mse_share": 1}, "mse_share", "1"),
        ({"mse_share": -0.1}, "mse_share", "-0.1"),
        ({"ema": 0.6}, "ema", "0.6"),
        ({"ema": -0.1}, "ema", "-0.1"),
        ({"cycles": 0}, "cycles", "0"),
        ({"cycles": 2, "schedule": "step"}, "cycles", "needs schedule cosine, but got step"),
        ({"cycle_growth": 0.9}, "cycle_growth", "0.9"),
        ({"expansion": 1}, "expansion", "0 or at least 2, but got 1"),
        ({"expansion": 17}, "expansion", "17"),
        ({"weight_decay": 1.0, "optimizer": "adam"}, "weight_decay", "needs optimizer muon, but got adam"),
        ({"late_patch_size": 0}, "late_patch_size", "0"),
        ({"late_patch_size": 30}, "late_patch_size", "at least patch_size, 60, but got 30"),
        ({"late_patch_size": 64, "upsampling": "pixel_shuffle"}, "late_patch_size", "64"),
        ({"late_share": 0}, "late_share", "0"),
        ({"late_share": 1}, "late_share", "1"),
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
        {"expansion": 2, "ema": 0.5, "mse_share": 0.5},
        {"loss": "charbonnier", "mse_share": 0.2, "charbonnier_epsilon": 1e-6},
        {"cycles": 5, "cycle_growth": 2},
        {"late_patch_size": 60, "late_share": 0.9},
        {"pretrain_share": 0.3},  # says nothing where there is no pre-training
    ],
    ids=str,
)
def test_the_edge_of_a_rule_is_allowed(fields: dict[str, Any]) -> None:
    TrainConfig(**fields)


CONFIGS = [
    TrainConfig(),
    TrainConfig(
        kernels=(9, 3, 3, 5), filters=(64, 32, 16), layer_rates=(0.1,), clip=0.5, pixels=1.5e8, epoch_pixels=1e6
    ),
    TrainConfig(**preset("paper"), epochs=7),
    TrainConfig(**preset("article")),
    TrainConfig(color="ycbcr", pretrain="y", pretrain_share=0.3),
    TrainConfig(loss="charbonnier", mse_share=0.1, ema=0.02, cycles=3, expansion=4, late_patch_size=96),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_survives_json_and_dicts(config: TrainConfig) -> None:
    assert TrainConfig.from_json(config.model_dump_json()) == config
    assert TrainConfig(**config.model_dump()) == config
    assert TrainConfig(**json.loads(config.model_dump_json())) == config


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


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"start": "champion:5"}, "start: must be random, champion:2"),
        ({"start": "champion"}, "start: must be random, champion:2"),
        ({"start": "net.pt"}, r"a \.safetensors file or models:/NAME@ALIAS, but got 'net\.pt'"),
        ({"start_digest": "0" * 64}, "start_digest: must be empty for start random"),
        ({"start": "champion:2", "start_digest": "12"}, "start_digest: "),
    ],
)
def test_a_start_has_a_known_form(fields: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as found:
        TrainConfig(**fields)
    assert "\n" not in str(found.value)
    for start in ("random", "champion:2", "a/b.safetensors", "models:/srcnn-x2@champion"):
        assert TrainConfig(start=start).start == start


@pytest.mark.parametrize(
    ("fields", "size", "batch"),
    [
        ({"patch_size": 60, "late_patch_size": 120, "padding": "zeros"}, 120, 2),
        ({"patch_size": 60, "late_patch_size": 96, "padding": "zeros"}, 96, 3),  # 3.1
        ({"patch_size": 33, "late_patch_size": 66}, 66, 1),  # targets of 21 and 54 pixels: 1.2
        ({"patch_size": 33, "late_patch_size": 198}, 198, 1),  # at least one
        ({"patch_size": 30, "late_patch_size": 61, "protocol": "article", "padding": "zeros"}, 61, 2),  # cut to 60
    ],
)
def test_late_sub_images_are_fewer(fields: dict[str, Any], size: int, batch: int) -> None:
    config = TrainConfig(**fields)
    late = config.late
    assert late is not None
    assert (late.patch_size, late.batch_size) == (size, batch)
    assert late == config.replace(patch_size=size, batch_size=batch, late_patch_size=None)


def test_late_sub_images_of_the_same_size_are_none() -> None:
    assert TrainConfig().late is None
    assert TrainConfig(late_patch_size=60).late is None
    assert TrainConfig(patch_size=60, late_patch_size=61, protocol="article").late is None


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"batch_size": 10**6 + 1}, "batch_size: .*1000000"),
        ({"test_batch_size": 10**9}, "test_batch_size: .*1000000"),
        ({"patch_size": 10_001}, "patch_size: .*10000"),
        ({"epochs": 10**12}, "epochs: .*1000000"),
        ({"pixels": 1e300}, "pixels: .*1000000000000000"),
        ({"epoch_pixels": 1e300}, "epoch_pixels: "),
        ({"cycles": 1001}, "cycles: .*1000"),
        (
            {"cycles": 100, "cycle_growth": 50},
            "cycle_growth: the last of the 100 cycles must be at most 1e12 times as long",
        ),
        ({"step_at": (0.5,) * 101}, "step_at: must have at most 100 fractions, but got 101"),
        ({"layer_rates": "1e9"}, "layer_rates: every factor must lie between 0 and 1000"),
        ({"layer_rates": "\u0661"}, "layer_rates: must be numbers joined by ','"),
    ],
)
def test_budgets_and_sizes_have_bounds_far_above_any_use(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=f"^{says}"):
        TrainConfig(**fields)


def test_a_message_is_one_short_line_whatever_was_given() -> None:
    with pytest.raises(ConfigError) as refused:
        TrainConfig(batch_size="9\n" * 100_000)
    text = str(refused.value)
    assert (len(text) <= 700, "\n" in text) == (True, False)
