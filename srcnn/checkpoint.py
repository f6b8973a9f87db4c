"""Weights and interrupted runs on disk: safetensors, with the configuration inside.

A weights file needs nothing beside it: `load_network` builds the network from the configuration in its header. A state file
holds a run between two epochs, for `srcnn.train.fit` to go on from. Both are written whole or not at all, and neither is
a pickle, so reading one runs no code of its writer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from srcnn.config import ModelConfig, TrainConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.files import atomic_write
from srcnn.model import SRCNN
from srcnn.train import TrainState

__all__ = ["load_network", "load_state", "read_header", "save_network", "save_state"]

_FORMAT = "srcnn/1"


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
    _save(path, weights, header)


def load_network(path: Path) -> SRCNN:
    """Read a network of `save_network` onto the CPU, in evaluation mode.

    Raises:
        CheckpointError: the file is missing, foreign or damaged, or its weights do not fit its configuration.
    """
    header, tensors = _load(path, "network")
    fields = _object(path, header, "config")
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
    header, _ = _load(path, "network")
    return {name: _object(path, header, name) for name in ("config", "extra")}


def save_state(path: Path, state: TrainState) -> None:
    """Write a run between two epochs.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {"kind": "state", "config": state.config.model_dump_json(), "numbers": json.dumps(dict(state.numbers))}
    _save(path, state.tensors, header)


def load_state(path: Path) -> TrainState:
    """Read a run of `save_state`.

    Raises:
        CheckpointError: the file is missing, foreign or damaged.
    """
    header, tensors = _load(path, "state")
    try:
        config = TrainConfig(**_object(path, header, "config"))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    numbers = _object(path, header, "numbers")
    missing = [n for n in ("epoch", "step", "seconds", "best_epoch", "best_psnr") if n not in numbers]
    missing += [f"{name}..." for name in ("network.", "generator") if not any(k.startswith(name) for k in tensors)]
    if missing:
        raise CheckpointError(f"{path}: damaged, lacks {', '.join(missing)}")
    return TrainState(config, tensors, numbers)


def _object(path: Path, header: Mapping[str, str], name: str) -> dict[str, Any]:
    """A JSON object of the header."""
    try:
        value = json.loads(header[name])
    except (KeyError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: damaged, its header lacks {name}")
    return value


def _save(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    # safetensors stores plain rows: channels-last weights are laid out anew, their values stay.
    rows = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with atomic_write(path) as temporary:
            save_file(rows, temporary, {"format": _FORMAT, **header})
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written ({error})") from None


def _load(path: Path, kind: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != _FORMAT or header.get("kind") != kind:
                raise CheckpointError(
                    f"{path}: not a file of {_FORMAT} with a {kind}, but {header.get('format', 'foreign')}"
                )
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from None
