"""Reader of the authors' released weights (SRCNN_v1.zip, MATLAB 5 files).

Each file contains, in column-major order: ``weights_conv1`` (f1*f1, n1), ``weights_conv2`` (n1, f2*f2, n2),
``weights_conv3`` (n2, f3*f3) and ``biases_conv1..3``. They are correlation kernels (MATLAB's ``imfilter``), so nothing is
flipped.

Parts of such a file are compressed, and its headers state sizes that a reader takes memory for. So the file, what its parts
inflate to, and the stated shapes are bounded before SciPy reads values; other variables than these six are not read.
"""

from __future__ import annotations

import io
import math
import struct
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
_COMPRESSED = 15  # type of an element that is compressed by zlib
_NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


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
    from scipy.io import loadmat, whosmat  # only this function reads MATLAB files

    try:
        content = read_bytes(path, _SIZE)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from None
    try:
        _check_inflated(content)
        stated = [
            (name, shape) for name, shape, kind in whosmat(io.BytesIO(content)) if name in _NAMES and kind in _NUMBERS
        ]
        for name, shape in stated:
            if 8 * math.prod(shape) > _INFLATED:
                raise ValueError(f"{name} must have at most {_INFLATED // 8} values, but has shape {shape}")
        found = loadmat(io.BytesIO(content), variable_names=[name for name, _ in stated])
    except Exception as error:  # scipy's reader raises many types: zlib.error, IndexError, MatReadError, ...
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: not a MATLAB 5 file ({reason})") from None
    return {name: found[name] for name, _ in stated if name in found}


def _check_inflated(content: bytes) -> None:
    """Check that what is no MATLAB 5 file, or inflates to more than the limit, is not read; an exception says why."""
    orders = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
    order = orders.get(content[124:_BEGIN])
    if order is None:
        raise ValueError("it does not begin as one")
    at, left = _BEGIN, _INFLATED
    while at + 8 <= len(content):
        kind, size = struct.unpack(f"{order}II", content[at : at + 8])
        if kind == _COMPRESSED:
            try:
                left -= len(inflate(content[at + 8 : at + 8 + size], left)[0])
            except OverflowError:
                raise ValueError(f"it must inflate to at most {in_units(_INFLATED)}, but inflates to more") from None
        at += 8 + size


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
    for name in _NAMES:
        if np.iscomplexobj(fields[name]) or not np.isfinite(fields[name]).all():
            raise CheckpointError(f"{path}: {name}: every value must be a finite number")
    try:
        first, second, third = (np.asarray(fields[f"weights_conv{i}"], dtype=np.float32) for i in (1, 2, 3))
        offsets = [np.asarray(fields[f"biases_conv{i}"], dtype=np.float32).reshape(-1) for i in (1, 2, 3)]
    except (ValueError, TypeError):
        raise CheckpointError(f"{path}: weights and biases must be numbers") from None
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
