"""Tensors and a JSON header in one safetensors file, written atomically. Reading a file executes no code from it.

A file states the names, types and shapes of its tensors before their values, and the header may state anything. So the header is
read first, with bounds, and the caller compares what it states (`Claims`) with what it expects before memory is taken for values.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from srcnn.errors import CheckpointError, NoSpaceError
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import in_units, open_regular, parse_json

__all__ = ["LARGEST", "Claim", "Claims", "header_object", "load_tensors", "read_claims", "save_tensors"]

_FORMAT = "srcnn/1"
#: Maximum size of a file in bytes: a network of 67 million float32 values. The paper's largest has 57 thousand.
LARGEST = 256 << 20
_HEADER = 16 << 20  # maximum size of the header in bytes; that of a trial with a thousand epochs has half a megabyte
_TENSORS = 10_000  # maximum number of tensors; a training state of 20 layers has about 200


@dataclass(frozen=True)
class Claim:
    """What a file states of a tensor."""

    kind: str  #: type of its values, as safetensors names it: ``F32``, ``U8``
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} of shape {'x'.join(map(str, self.shape)) or '()'}"


Claims = Mapping[str, Claim]


def header_object(path: Path, header: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return a JSON object from the header.

    Raises:
        CheckpointError: the header has no such object.
    """
    try:
        value = parse_json(header[name])
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


def read_claims(path: Path, kind: str, largest: int = LARGEST) -> tuple[dict[str, str], Claims]:
    """Return the header of a file of some kind, and what it states of its tensors, without their values.

    Args:
        path: the file.
        kind: kind of the file, in its header.
        largest: maximum size of the file in bytes.

    Raises:
        CheckpointError: the file is missing, no regular file, too large, damaged, of another format or of another kind.
    """
    try:
        with open_regular(path, largest) as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _HEADER:
                raise ValueError(f"its header must have at most {in_units(_HEADER)}, but has {in_units(length)}")
            content = file.read(length)
        if len(content) < length:
            raise ValueError("its header is incomplete")
        header, claims = _stated(parse_json(content.decode("utf-8"), depth=4))
        with safe_open(path, framework="pt"):  # compares the places of the tensors with each other and with the size
            pass
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {_reason(error)}") from None
    except (SafetensorError, ValueError, struct.error) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({_line(error)})") from None
    if header.get("format") != _FORMAT or header.get("kind") != kind:
        raise CheckpointError(
            f"{path}: must have format {_FORMAT} and kind {kind}, "
            f"but has {header.get('format', 'none')[:40]} and {header.get('kind', 'none')[:40]}"
        )
    return header, claims


def _stated(given: Any) -> tuple[dict[str, str], Claims]:
    """Return header and claims from the JSON of a file; a ValueError says what is wrong with it."""
    if not isinstance(given, dict):
        raise ValueError("its header must be an object")
    header = given.pop("__metadata__", {})
    if not isinstance(header, dict) or not all(isinstance(value, str) for value in header.values()):
        raise ValueError("its header must map names to texts")
    if len(given) > _TENSORS:
        raise ValueError(f"it must have at most {_TENSORS} tensors, but has {len(given)}")
    claims = {}
    for name, about in given.items():
        kind, shape = (about.get("dtype"), about.get("shape")) if isinstance(about, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(shape, list) or not all(type(size) is int for size in shape):
            raise ValueError(f"{name[:80]}: must have a type and a shape")
        claims[name] = Claim(kind, tuple(shape))
    return header, claims


def _reason(error: OSError) -> str:
    ours = error.strerror is not None and error.strerror.startswith(("must ", "is "))
    return str(error.strerror) if ours else f"damaged or not a safetensors file ({error.strerror or error})"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def load_tensors(
    path: Path, kind: str, check: Callable[[Mapping[str, str], Claims], None] | None = None, largest: int = LARGEST
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the header and the tensors, on the CPU, of a file of some kind.

    Args:
        path: the file.
        kind: kind of the file, in its header.
        check: function that raises an exception if header and claims are not as they must be. It is called before the tensors are
            read.
        largest: maximum size of the file in bytes.

    Raises:
        CheckpointError: see `read_claims`.
    """
    header, claims = read_claims(path, kind, largest)
    if check is not None:
        check(header, claims)
    try:
        with safe_open(path, framework="pt") as file:
            return header, {name: file.get_tensor(name) for name in claims}
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({_line(error)})") from None
