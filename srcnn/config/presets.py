"""Presets: complete training configurations by name."""

from __future__ import annotations

from collections.abc import Mapping

from srcnn.errors import ConfigError, unknown_name

__all__ = ["PRESETS", "preset"]

#: Fields of each preset. ``paper``: the settings of the SRCNN authors (TPAMI 2016, section 4). ``article``: the defaults of the
#: article described in `srcnn.evaluation.article`.
PRESETS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "paper": {
        "residual": False,
        "reduction": "euclidean",
        "initialization": "gaussian",
        "init_std": 0.001,
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 1e-4,
        "layer_rates": (0.1,),
        "schedule": "constant",
        "warmup": 0.0,
        "batch_size": 128,
        "patch_size": 33,
        "stride": 14,
        "augment": False,
        "precision": "fp32",
    },
    "article": {
        "protocol": "article",
        "upsampling": "pixel_shuffle",
        "residual": False,
        "padding": "zeros",
        "scale": 4,
        "initialization": "gaussian",
        "init_std": 0.01,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "schedule": "constant",
        # The article has no warm-up. Then the network dies (all units output zero) within 25 steps for five of eight random
        # seeds, including 123: Adam moves every weight of the first layer by 0.01 in the same direction. With one epoch of
        # warm-up no tested seed fails.
        "warmup": 0.05,
        "batch_size": 8,
        "patch_size": 256,
        "augment": False,
        "epochs": 20,
        "seed": 123,
        "precision": "fp32",
    },
}


def preset(name: str) -> dict[str, object]:
    """Return the fields that a preset sets, as a new dictionary to modify and pass to `TrainConfig`.

    Raises:
        ConfigError: no preset has this name.
    """
    if name not in PRESETS:
        raise ConfigError(unknown_name("preset", name, PRESETS))
    return dict(PRESETS[name])
