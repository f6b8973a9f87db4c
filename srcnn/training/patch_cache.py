"""Prepared training data on disk, so that the second run on the same images starts at once.

An entry is a folder of plain arrays, named by a digest of everything that it was made from: pixels, scale, colour, protocol
and the version of this layout. It appears whole or not at all, is read through memory maps (several processes share its
pages), and the least recently used entries go when the cache outgrows its bound. It lies in ``$SRCNN_CACHE``, else in
``srcnn`` below ``$XDG_CACHE_HOME`` or ``~/.cache``; where nothing can be written there, nothing is cached.
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
from srcnn.system.folders import cache_folder
from srcnn.training.patches import TrainingData, prepare

__all__ = ["prepare_cached"]

_LAYOUT = "1"  # of an entry; another number leaves the old entries to age out
_ARRAYS = ("sizes", "small", "bicubic", "target")
_BYTES = 4 << 30


def prepare_cached(
    images: ImageSet, scale: int, *, color: str = "y", protocol: str = "srcnn", limit: int = _BYTES
) -> TrainingData:
    """What `prepare` gives for the images, from the cache if they were prepared before.

    Args:
        images: the training images; their digest names the entry.
        scale: upscaling factor.
        color: planes, as in the configuration.
        protocol: degradation, as in the configuration.
        limit: bytes that the whole cache may hold.

    Raises:
        DataError: there is no image, or one is too small for the scale.
    """
    key = hashlib.sha256("|".join([_LAYOUT, images.digest, str(scale), color, protocol]).encode()).hexdigest()[:32]
    entry = cache_folder() / key
    with suppress(OSError, ValueError):  # absent, or on its way out, or written by a machine that broke down
        data = _read(entry, scale, color, protocol)
        os.utime(entry)  # used last now
        return data
    data = prepare(images.images, scale, color=color, protocol=protocol)
    with suppress(OSError):  # a full or read-only disk: the data itself is here all the same
        _write(entry, data)
        _trim(entry.parent, limit, keep=entry)
    return data


def _read(entry: Path, scale: int, color: str, protocol: str) -> TrainingData:
    names = tuple(json.loads((entry / "names.json").read_text(encoding="utf-8")))
    # Plain arrays over the maps: pickle copies the bytes of a subclass such as memmap, and sends an array's own as they lie.
    arrays = {name: np.asarray(np.load(entry / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    return TrainingData(scale, color, protocol, names, **arrays)


def _write(entry: Path, data: TrainingData) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    temporary = entry.with_name(f".writing-{secrets.token_hex(8)}")
    temporary.mkdir()
    try:
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(data, name))
        (temporary / "names.json").write_text(json.dumps(data.names), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)  # a damaged one; a good one was read
        os.rename(temporary, entry)  # fails if another process was first, whose entry is as good
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _trim(folder: Path, limit: int, keep: Path) -> None:
    """Remove the least recently used entries until the rest fits; readers keep what they have mapped."""
    entries = [(e.stat().st_mtime, e) for e in folder.iterdir() if e.is_dir() and e.name[0] != "."]
    sizes = {e: sum(f.stat().st_size for f in e.iterdir()) for _, e in entries}
    total = sum(sizes.values())
    for _, entry in sorted(entries):
        if total <= limit:
            return
        if entry != keep:
            shutil.rmtree(entry, ignore_errors=True)
            total -= sizes[entry]
