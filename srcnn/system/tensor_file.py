"""Tensors and a JSON header in one safetensors file, written atomically. Reading a file executes no code from it."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from srcnn.errors import CheckpointError, NoSpaceError
from srcnn.system.atomic_file import atomic_write

__all__ = ["header_object", "load_tensors", "save_tensors"]

_FORMAT = "srcnn/1"


def header_object(path: Path, header: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return a JSON object from the header.

    Raises:
        CheckpointError: the header has no such object.
    """
    try:
        value = json.loads(header[name])
    except (KeyError, ValueError):
        value = None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: damaged, its header has no {name}")
    return value


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write tensors and a header.

    Raises:
        CheckpointError: the file cannot be written.
    """
    # safetensors stores contiguous tensors: channels-last weights are copied to the default layout, values unchanged.
    rows = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        # Written by Python: the library's own file function has one kind of error for everything, a full disk as well.
        with atomic_write(path) as temporary:
            temporary.write_bytes(save(rows, {"format": _FORMAT, **header}))
    except (OSError, SafetensorError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (NoSpaceError if full else CheckpointError)(f"{path}: cannot be written ({error})") from None


def load_tensors(path: Path, kind: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header and the tensors, on the CPU, of a file of some kind.

    Raises:
        CheckpointError: the file is missing, damaged, of another format or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != _FORMAT or header.get("kind") != kind:
                raise CheckpointError(
                    f"{path}: must have format {_FORMAT} and kind {kind}, "
                    f"but has {header.get('format', 'none')} and {header.get('kind', 'none')}"
                )
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from None
