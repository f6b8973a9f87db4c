"""Training states on disk: a run between two epochs, from which `srcnn.training.fit.fit` can resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.system.tensor_file import header_object, load_tensors, save_tensors

__all__ = ["TrainState", "load_state", "save_state"]


@dataclass(frozen=True)
class TrainState:
    """Everything that is needed to resume a run: tensors by name, and JSON-serializable numbers."""

    config: TrainConfig
    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]


def save_state(path: Path, state: TrainState) -> None:
    """Write a training state to a file.

    Raises:
        CheckpointError: the file cannot be written.
    """
    header = {"kind": "state", "config": state.config.model_dump_json(), "numbers": json.dumps(dict(state.numbers))}
    save_tensors(path, state.tensors, header)


def load_state(path: Path) -> TrainState:
    """Read a training state written by `save_state`.

    Raises:
        CheckpointError: the file is missing, damaged or of another format.
    """
    header, tensors = load_tensors(path, "state")
    try:
        config = TrainConfig(**header_object(path, header, "config"))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    numbers = header_object(path, header, "numbers")
    missing = [n for n in ("epoch", "step", "seconds", "best_epoch", "best_psnr") if n not in numbers]
    missing += [f"{name}..." for name in ("network.", "generator") if not any(k.startswith(name) for k in tensors)]
    if missing:
        raise CheckpointError(f"{path}: damaged, missing {', '.join(missing)}")
    return TrainState(config, tensors, numbers)
