"""Weights files: a network in safetensors format, with its configuration in the header.

`load_network` builds the network from the configuration in the header and needs no other file. Files are written
atomically. They are not pickles, so reading one executes no code from it. Training states have their own files, see
`srcnn.training.checkpoint`.
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
    """Write a network to a weights file.

    Args:
        path: the file; its folder is created.
        weights: state dict of an `SRCNN`.
        config: its `ModelConfig`, or the complete `TrainConfig` of its training run.
        extra: JSON-serializable data to store with it, such as metrics and the digest of the training data.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {"kind": "network", "config": config.model_dump_json(), "extra": json.dumps(extra or {})}
    save_tensors(path, weights, header)


def load_network(path: Path) -> SRCNN:
    """Read a network written by `save_network` to the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, damaged or of another format, or its weights do not match its configuration.
    """
    header, tensors = load_tensors(path, "network")
    fields = header_object(path, header, "config")
    try:
        config = ModelConfig(**{k: v for k, v in fields.items() if k in ModelConfig.model_fields})
        network = SRCNN(config)
        network.load_state_dict(tensors)
    except (ConfigError, RuntimeError) as error:
        raise CheckpointError(f"{path}: weights and configuration do not match: {error}") from None
    return network.eval()


def read_header(path: Path) -> dict[str, Any]:
    """Read the configuration and the extra data of a weights file: ``{"config": {...}, "extra": {...}}``.

    Raises:
        CheckpointError: the file is missing, damaged or of another format.
    """
    header, _ = load_tensors(path, "network")
    return {name: header_object(path, header, name) for name in ("config", "extra")}
