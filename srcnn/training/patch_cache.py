"""Cache of prepared training data on disk, so that a second run on the same images starts at once.

An entry is a folder of plain arrays, named by a digest of its inputs: pixels, scale, colour, protocol and the layout version. It
is written atomically and read through memory maps, so that processes share its pages. If the cache exceeds its limit, the least
recently used entries are removed. The cache is in `srcnn.system.folders.cache_folder`; if this is not writable, nothing is
cached.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from srcnn.data.image_set import ImageSet
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.folders import cache_folder
from srcnn.training.patches import REDUCED_BY, TrainingData, prepare

__all__ = ["prepare_cached"]

_LAYOUT = "2"  # layout version of an entry; with a new number, old entries are no longer used and are removed in time
_ARRAYS = ("sizes", "small", "bicubic", "target", "copies")
_BYTES = 4 << 30
_SIDE = 1 << 24  # pixels: no image is larger


def prepare_cached(
    images: ImageSet, scale: int, *, color: str = "y", protocol: str = "srcnn", copies: int = 0, limit: int = _BYTES
) -> TrainingData:
    """Return the result of `prepare`, from the cache if it exists there.

    Args:
        images: the training images; their digest identifies the entry.
        scale: upscaling factor.
        color: colour planes, as in the configuration.
        protocol: degradation protocol, as in the configuration.
        copies: greatest number of reduced copies that a training can use.
        limit: maximum size of the whole cache, in bytes.

    Raises:
        DataError: there is no image, or one is too small for the scale.
    """
    inputs = [_LAYOUT, images.digest, str(scale), color, protocol, *map(str, REDUCED_BY[:copies])]
    key = hashlib.sha256("|".join(inputs).encode()).hexdigest()[:32]
    entry = cache_folder() / key
    with suppress(
        OSError, ValueError, TypeError
    ):  # missing, being removed, incomplete after a crash, or not what it must be
        data = _read(entry, scale, color, protocol, copies)
        os.utime(entry)  # mark as most recently used
        return data
    data = prepare(images.images, scale, color=color, protocol=protocol, copies=copies)
    with suppress(OSError):  # a full or read-only disk: return the data without caching it
        _write(entry, data)
        _trim(entry.parent, limit, keep=entry)
    return data


def _read(entry: Path, scale: int, color: str, protocol: str, copies: int) -> TrainingData:
    names = tuple(map(str, parse_json(read_text(entry / "names.json"))))
    # Plain arrays over the maps: pickle copies the bytes of a subclass such as memmap, but not those of a plain array.
    arrays = {name: np.asarray(np.load(entry / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    data = TrainingData(scale, color, protocol, names, **arrays, most_copies=copies)
    _check(data)
    return data


def _check(data: TrainingData) -> None:
    """Check that types and sizes of the arrays fit together. A ValueError says that they do not: another program wrote them."""
    sizes, channels = data.sizes, 1 if data.color == "y" else 3
    if sizes.dtype != np.int64 or sizes.shape != (len(data.names), 2) or not len(sizes):
        raise ValueError("sizes")
    if sizes.min() < data.scale or sizes.max() > _SIDE:
        raise ValueError("sizes")
    if data.copies.dtype != np.int64 or data.copies.shape != (len(data.names),):
        raise ValueError("copies")
    if data.copies.min() != 0 or data.copies.max() > data.most_copies:
        raise ValueError("copies")
    pixels, small = data.pixels(data.most_copies), int((sizes // data.scale).prod(axis=1).sum())
    wanted = {"small": (np.float32, small), "bicubic": (np.float32, pixels), "target": (np.uint8, pixels)}
    for name, (kind, count) in wanted.items():
        array = getattr(data, name)
        if array.dtype != kind or array.shape != (channels, count):
            raise ValueError(name)


def _write(entry: Path, data: TrainingData) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = entry.with_name(f".writing-{secrets.token_hex(8)}")
    temporary.mkdir()
    try:
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(data, name))
        (temporary / "names.json").write_text(json.dumps(data.names), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)  # a damaged entry; a valid one was read above
        os.rename(temporary, entry)  # fails if another process has written the same entry
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _trim(folder: Path, limit: int, keep: Path) -> None:
    """Remove the least recently used entries until the others fit. Processes keep entries that they have mapped."""
    entries = [(e.stat().st_mtime, e) for e in folder.iterdir() if e.is_dir() and e.name[0] != "."]
    sizes = {e: sum(f.stat().st_size for f in e.iterdir()) for _, e in entries}
    total = sum(sizes.values())
    for _, entry in sorted(entries):
        if total <= limit:
            return
        if entry != keep:
            shutil.rmtree(entry, ignore_errors=True)
            total -= sizes[entry]
