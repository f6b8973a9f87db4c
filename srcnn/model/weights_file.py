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
from srcnn.model.network import SRCNN, weight_shapes
from srcnn.system.tensor_file import Claim, Claims, header_object, load_tensors, read_claims, save_tensors

__all__ = ["load_network", "read_header", "save_network", "wrong_claim"]

_FLOATS = ("F16", "BF16", "F32", "F64")


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
    network: list[SRCNN] = []

    def check(header: Mapping[str, str], claims: Claims) -> None:
        fields = header_object(path, header, "config")
        try:
            config = ModelConfig(**{k: v for k, v in fields.items() if k in ModelConfig.model_fields})
        except ConfigError as error:
            raise CheckpointError(f"{path}: weights and configuration do not match: {error}") from None
        wrong = wrong_claim(config, claims)
        if wrong:
            raise CheckpointError(f"{path}: weights and configuration do not match: {wrong}")
        network.append(SRCNN(config))

    _, tensors = load_tensors(path, "network", check)
    for name, tensor in tensors.items():
        wrong = int(tensor.numel() - tensor.isfinite().sum())
        if wrong:
            raise CheckpointError(
                f"{path}: {name}: every weight must be a finite number, but {wrong} of {tensor.numel()} are not"
            )
    network[0].load_state_dict(tensors)
    return network[0].eval()


def wrong_claim(config: ModelConfig, claims: Claims) -> str:
    """Return what is wrong with the tensors that a file states for a network, compared with its configuration; empty: nothing.

    A configuration that states a larger network than the file holds costs nothing: only shapes are computed.
    """
    wanted = weight_shapes(config)
    for name in claims:
        if name not in wanted:
            return f"{name[:80]} is not a tensor of {config.name}"
    for name, shape in wanted.items():
        if name not in claims:
            return f"{name} is missing"
        if claims[name].kind not in _FLOATS or claims[name].shape != shape:
            return f"{name} must be {Claim('F32', shape)}, but is {claims[name]}"
    return ""


def read_header(path: Path) -> dict[str, Any]:
    """Read the configuration and the extra data of a weights file: ``{"config": {...}, "extra": {...}}``.

    Raises:
        CheckpointError: the file is missing, damaged or of another format.
    """
    header, _ = read_claims(path, "network")
    return {name: header_object(path, header, name) for name in ("config", "extra")}
