"""Reader of the authors' released weights (SRCNN_v1.zip, MATLAB 5 files).

Each file contains, in column-major order: ``weights_conv1`` (f1*f1, n1), ``weights_conv2`` (n1, f2*f2, n2),
``weights_conv3`` (n2, f3*f3) and ``biases_conv1..3``. They are correlation kernels (MATLAB's ``imfilter``), so nothing is
flipped.

The format is described in "MAT-File Format" of The MathWorks. Parts of a file are compressed, and its headers state sizes. So
the file and what its parts inflate to are bounded, a matrix must have as many values as its shape says, and other variables than
these six are not read. SciPy's reader is not used: on some damaged files SciPy 1.17 ends the process by a segmentation fault.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from srcnn.config.architecture import ModelConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.system.bounded_read import in_units, inflate, read_bytes

__all__ = ["load_official", "official_file"]

_NAMES = tuple(f"{kind}_conv{i}" for i in (1, 2, 3) for kind in ("weights", "biases"))
_SIZE = 8 << 20  # maximum size of a file in bytes; the largest released one has 0.3 MB
_INFLATED = 32 << 20  # maximum size of its content in bytes; that of the released ones is 0.5 MB
_BEGIN = 128  # bytes before the first element: a text, the version and the order of bytes
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # order of bytes, by version and mark
_COMPRESSED, _MATRIX = 15, 14  # types of elements: compressed by zlib, a matrix
_INT8, _INT32, _UINT32 = 1, 5, 6
#: Types of elements whose content is numbers, as NumPy names them.
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC = range(6, 16)  # classes of matrices of numbers: double, single, int8 ... uint64
_COMPLEX = 0x800  # flag of a matrix with an imaginary part


def official_file(folder: str, scale: int, root: Path) -> Path | None:
    """Return the authors' file of a network such as ``9-5-5(ImageNet)``; None if it does not exist.

    The folder is ``weights/srcnn-official`` below the data root, where ``experiments/data.py`` downloads it, or beside the root.
    """
    for place in (root, root.parent):
        path = place / "weights" / "srcnn-official" / folder / f"x{scale}.mat"
        if path.is_file():
            return path
    return None


def _side(count: int, path: Path, field: str) -> int:
    side = math.isqrt(count)
    if side * side != count:
        raise CheckpointError(f"{path}: {field}: the number of values, {count}, must be a square")
    return side


def _square(columns: NDArray[Any], side: int) -> NDArray[np.float32]:
    """Convert column-major pixels (side*side, ...) to (side, side, ...)."""
    return np.ascontiguousarray(columns.reshape(side, side, *columns.shape[1:], order="F"), dtype=np.float32)


def _numbers(path: Path) -> dict[str, NDArray[Any]]:
    """Return the variables of a file that are numbers and have one of the six names.

    Raises:
        CheckpointError: the file is missing, too large, or not a MATLAB 5 file.
    """
    try:
        content = read_bytes(path, _SIZE)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    found: dict[str, NDArray[Any]] = {}
    try:
        order = _ORDERS.get(content[124:_BEGIN])
        if order is None:
            raise ValueError("it does not begin as one")
        left = _INFLATED
        for kind, body in _elements(content[_BEGIN:], order):
            if kind == _COMPRESSED:
                inflated, _ = inflate(body, left)
                left -= len(inflated)
                kind, body = next(_elements(inflated, order), (0, b""))
            if kind == _MATRIX:
                found |= _matrix(body, order)
    except OverflowError:
        raise CheckpointError(
            f"{path}: not a MATLAB 5 file (it must inflate to at most {in_units(_INFLATED)}, but inflates to more)"
        ) from None
    except (ValueError, EOFError, zlib.error) as error:
        raise CheckpointError(f"{path}: not a MATLAB 5 file ({error})") from None
    return found


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of the data elements. Up to four bytes are in the tag itself; others begin at multiples of eight."""
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        begin = at + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
        body = content[begin : begin + size]
        if len(body) < size or (begin == at + 4 and size > 4):
            raise ValueError("an element is incomplete")
        yield kind, body
        at = at + 8 if begin == at + 4 else begin + size + (0 if kind == _COMPRESSED else -size % 8)


def _matrix(content: bytes, order: str) -> dict[str, NDArray[Any]]:
    """Return a matrix by its name; empty if it is none of the six, or not of numbers. A complex one has a complex type."""
    parts = list(islice(_elements(content, order), 4))
    if len(parts) < 4 or [kind for kind, _ in parts[:3]] != [_UINT32, _INT32, _INT8] or len(parts[0][1]) != 8:
        return {}
    (flags, _), name = struct.unpack(f"{order}II", parts[0][1]), parts[2][1].decode("latin-1")
    kind, body = parts[3]
    if name not in _NAMES or flags & 0xFF not in _NUMERIC or kind not in _TYPES:
        return {}
    if len(parts[1][1]) % 4 or len(body) % np.dtype(_TYPES[kind]).itemsize:
        raise ValueError(f"{name} is incomplete")
    shape = np.frombuffer(parts[1][1], f"{order}i4").tolist()
    values = np.frombuffer(body, f"{order}{_TYPES[kind]}")
    if min(shape, default=0) < 0 or len(shape) > 4 or math.prod(shape) != len(values):
        raise ValueError(f"{name} must have as many values as its shape {shape} says, but has {len(values)}")
    return {name: values.reshape(shape, order="F").astype(np.complex128 if flags & _COMPLEX else np.float64)}


def load_official(path: Path, scale: int) -> SRCNN:
    """Read a .mat file of the authors into a three-layer network in evaluation mode.

    Args:
        path: the file, for example ``9-5-5(ImageNet)/x3.mat``.
        scale: upscaling factor for which the network was trained; the file does not contain it.

    Raises:
        CheckpointError: the file is missing, is no MATLAB 5 file, or lacks a field.
    """
    fields = _numbers(path)
    missing = [name for name in _NAMES if name not in fields]
    if missing:
        raise CheckpointError(f"{path}: not a file of SRCNN weights, missing {', '.join(missing)}")
    single: dict[str, NDArray[np.float32]] = {}
    for name in _NAMES:
        with np.errstate(over="ignore", invalid="ignore"):
            single[name] = np.asarray(fields[name].real, dtype=np.float32)
        if np.iscomplexobj(fields[name]) or not np.isfinite(single[name]).all():
            raise CheckpointError(f"{path}: {name}: every value must be a finite number")
    first, second, third = (single[f"weights_conv{i}"] for i in (1, 2, 3))
    offsets = [single[f"biases_conv{i}"].reshape(-1) for i in (1, 2, 3)]
    if second.ndim == 2:  # MATLAB drops a trailing axis of one; a middle axis of one survives
        second = second[:, :, None]
    if first.ndim != 2 or second.ndim != 3 or third.ndim != 2:
        raise CheckpointError(
            f"{path}: weights must have 2, 3 and 2 axes, but have {first.ndim}, {second.ndim} and {third.ndim}"
        )
    n1, n2 = first.shape[1], second.shape[2]
    if second.shape[0] != n1 or third.shape[0] != n2:
        raise CheckpointError(
            f"{path}: shapes of the layers do not match: {first.shape}, {second.shape}, {third.shape}"
        )
    f1 = _side(first.shape[0], path, "weights_conv1")
    f2 = _side(second.shape[1], path, "weights_conv2")
    f3 = _side(third.shape[1], path, "weights_conv3")
    try:
        model = SRCNN(ModelConfig(kernels=(f1, f2, f3), filters=(n1, n2), scale=scale, residual=False))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from None
    weights = [
        _square(first, f1).transpose(2, 0, 1)[:, None],  # (f1*f1, n1) -> (n1, 1, f1, f1)
        _square(second.transpose(1, 0, 2), f2).transpose(3, 2, 0, 1),  # (n1, f2*f2, n2) -> (n2, n1, f2, f2)
        _square(third.T, f3).transpose(2, 0, 1)[None],  # (n2, f3*f3) -> (1, n2, f3, f3)
    ]
    with torch.no_grad():
        for i, (layer, weight) in enumerate(zip(model.convolutions, weights, strict=True), start=1):
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
            assert layer.bias is not None
            bias = offsets[i - 1]
            if bias.shape != layer.bias.shape:
                raise CheckpointError(f"{path}: biases_conv{i}: {bias.size} values for {layer.bias.numel()} filters")
            layer.bias.copy_(torch.from_numpy(bias))
    return model.eval()
