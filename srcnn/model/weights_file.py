"""Weights and interrupted runs on disk: safetensors, with the configuration inside.

A weights file needs nothing beside it: `load_network` builds the network from the configuration in its header. A state file
holds a run between two epochs, for `srcnn.training.fit.fit` to go on from. Both are written whole or not at all, and neither is
a pickle, so reading one runs no code of its writer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from srcnn.config.architecture import ModelConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.system.tensor_file import header_object, load_tensors, save_tensors

__all__ = ["load_network", "read_header", "save_network"]


def save_network(
    path: Path,
    weights: Mapping[str, Tensor],
    config: ModelConfig,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a network.

    Args:
        path: the file; its folder is made.
        weights: the state dict of an `SRCNN`.
        config: its `ModelConfig`, or the whole `TrainConfig` that made it.
        extra: anything JSON-able to keep beside it, such as figures and the digest of the data.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {"kind": "network", "config": config.model_dump_json(), "extra": json.dumps(extra or {})}
    save_tensors(path, weights, header)


def load_network(path: Path) -> SRCNN:
    """Read a network of `save_network` onto the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, foreign or damaged, or its weights do not fit its configuration.
    """
    header, tensors = load_tensors(path, "network")
    fields = header_object(path, header, "config")
    try:
        config = ModelConfig(**{k: v for k, v in fields.items() if k in ModelConfig.model_fields})
        network = SRCNN(config)
        network.load_state_dict(tensors)
    except (ConfigError, RuntimeError) as error:
        raise CheckpointError(f"{path}: weights and configuration do not fit: {error}") from None
    return network.eval()


def read_header(path: Path) -> dict[str, Any]:
    """The configuration and the extra data of a weights file: ``{"config": {...}, "extra": {...}}``.

    Raises:
        CheckpointError: the file is missing, foreign or damaged.
    """
    header, _ = load_tensors(path, "network")
    return {name: header_object(path, header, name) for name in ("config", "extra")}
