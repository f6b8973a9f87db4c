"""The registry of named sets: their contents and their folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srcnn.errors import DataError, unknown_name
from srcnn.system.folders import typed_path

__all__ = ["ALIASES", "SETS", "WHEELS", "KnownSet", "data_root", "known_set", "locate"]


@dataclass(frozen=True)
class KnownSet:
    """Properties of a named set, used to detect a wrong copy."""

    name: str
    count: int
    source: str  #: the archive or the packages that contain it
    inside: tuple[str, ...] = ()  #: folders in the archive that contain its files, innermost last
    sizes: frozenset[tuple[int, int]] = frozenset()  #: valid (width, height) pairs; empty: not checked
    digest: str | None = None  #: digest of the pixels; None: not checked
    bundled: tuple[str, ...] = ()  #: files in installed packages, ``package/path``


_BSDS = frozenset({(481, 321), (321, 481)})
_BSDS_CROPPED = frozenset({(480, 320), (320, 480)})  # a common redistribution of the test images
_TRAIN_PHOTOS = (
    "srcnn/data/photographs/grace_hopper.jpg",
    "skimage/data/brick.png",
    "skimage/data/clock_motion.png",
    "skimage/data/coins.png",
    "skimage/data/grass.png",
    "skimage/data/gravel.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/ihc.png",
    "skimage/data/moon.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/page.png",
    "skimage/data/rocket.jpg",
    "srcnn/data/photographs/china.jpg",
    "srcnn/data/photographs/flower.jpg",
)
_TEST_PHOTOS = (  # no JPEG files: a test must not reward the reconstruction of block artifacts
    "skimage/data/astronaut.png",
    "skimage/data/camera.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
)
WHEELS = "scikit-image, srcnn"
#: All named sets.
SETS: Mapping[str, KnownSet] = {
    known.name: known
    for known in (
        KnownSet("T91", 91, "SRCNN_train.zip", ("Train",), digest="eae6c4b500bdec15"),
        KnownSet("BSDS300/train", 200, "BSDS300-images.tgz", ("images", "train"), sizes=_BSDS),
        KnownSet("BSDS300/test", 100, "BSDS300-images.tgz", ("images", "test"), sizes=_BSDS | _BSDS_CROPPED),
        KnownSet("Set5", 5, "SRCNN_v1.zip", ("Set5",), digest="5dbc35f89ddb4d99"),
        KnownSet("Set14", 14, "SRCNN_v1.zip", ("Set14",), digest="380403435132ea7a"),
        KnownSet("sample/train", len(_TRAIN_PHOTOS), WHEELS, bundled=_TRAIN_PHOTOS),
        KnownSet("sample/test", len(_TEST_PHOTOS), WHEELS, bundled=_TEST_PHOTOS, digest="fc20aa7ef412e630"),
    )
}
ALIASES = {"sample": "sample/train"}


def data_root(option: str | Path | None = None) -> Path:
    """Return the data root: the option if given, else ``$SRCNN_DATA``, else ``data`` in the current folder."""
    if option is not None:
        return typed_path(option, "data root")
    return typed_path(os.environ.get("SRCNN_DATA") or "data", "SRCNN_DATA")


def locate(name: str, root: Path | None = None) -> Path:
    """Return the folder of a named set, whether or not it exists. ``root`` as in `data_root`.

    Raises:
        DataError: no set has this name, or the set is bundled and has no folder.
    """
    known = known_set(name)
    if known.bundled:
        raise DataError(f"{name}: is part of the packages {known.source} and has no folder")
    return data_root(root).joinpath(*name.split("/"))


def known_set(name: str) -> KnownSet:
    """Return the registry entry of a named set.

    Raises:
        DataError: no set has this name.
    """
    if name not in SETS:
        raise DataError(unknown_name("data set", name, SETS))
    return SETS[name]
