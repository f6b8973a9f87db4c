"""Crops of test images as the champion, the paper's network and bicubic reconstruct them, from the artifacts of a search.

A search logs them as ``pictures/x3/IMAGE-KIND.png``, with a list of the images in ``pictures/x3/pictures.json``. Searches of
earlier versions have none, and a file that is missing or damaged leaves its image out.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlflow.tracking import MlflowClient
from PIL import Image, UnidentifiedImageError

from srcnn.system.bounded_read import parse_json, read_bytes, read_text
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import artifact_folder

__all__ = ["KINDS", "CropPicture", "read_pictures"]

#: The pictures of one image, in the order in which a page shows them.
KINDS = ("original", "bicubic", "reference", "champion")
_FOLDER, _LIST = names.ARTIFACT_PICTURES, names.ARTIFACT_PICTURE_LIST
_MOST_SIDE = 512  # pixels; larger ones would make the page too large
_MOST_IMAGES = 4
_LARGEST, _MOST_FILES = 64 << 20, 200  # bytes and files of a scale; a search writes a megabyte in a few files


@dataclass(frozen=True)
class CropPicture:
    """One crop of a test image."""

    image: str  #: name of the image
    width: int  #: of the crop, in pixels
    height: int
    psnr: Mapping[str, float]  #: PSNR of the whole image in dB, by kind; the original has none
    files: Mapping[str, bytes]  #: PNG files by kind, in the order of `KINDS`; at least bicubic and the champion


def read_pictures(client: MlflowClient, run_id: str) -> dict[int, tuple[CropPicture, ...]]:
    """Return the crops in the artifacts of a search, by scale; empty if there are none."""
    there = {Path(one.path).name for one in client.list_artifacts(run_id) if one.is_dir}
    if _FOLDER not in there:
        return {}
    found = {}
    with TemporaryDirectory() as folder:
        scales = {Path(one.path).name for one in client.list_artifacts(run_id, _FOLDER) if one.is_dir}
        for scale in (2, 3, 4):
            if f"x{scale}" not in scales:
                continue
            root = artifact_folder(client, run_id, f"{_FOLDER}/x{scale}", Path(folder), _LARGEST, _MOST_FILES)
            pictures = () if root is None else _of_scale(root)
            if pictures:
                found[scale] = pictures
    return found


def _of_scale(folder: Path) -> tuple[CropPicture, ...]:
    try:
        rows = parse_json(read_text(folder / _LIST))
    except (OSError, ValueError):
        return ()
    if not isinstance(rows, list):
        return ()
    read = (_picture(folder, row) for row in rows[:_MOST_IMAGES] if isinstance(row, dict))
    return tuple(picture for picture in read if picture is not None)


def _picture(folder: Path, row: Mapping[str, Any]) -> CropPicture | None:
    image = str(row.get("image", ""))
    files, size = {}, (0, 0)
    for kind in KINDS:
        png = _png(folder / f"{Path(image).name}-{kind}.png")
        if png is None:
            continue
        files[kind], here = png
        if size not in ((0, 0), here):  # they would not lie on each other
            return None
        size = here
    if not {"bicubic", "champion"} <= set(files) or max(size) > _MOST_SIDE:
        return None
    given = row.get("psnr", {})
    psnr = {kind: float(given[kind]) for kind in KINDS if isinstance(given, dict) and _is_number(given.get(kind))}
    return CropPicture(image, *size, psnr, files)


def _png(file: Path) -> tuple[bytes, tuple[int, int]] | None:
    try:
        data = read_bytes(file)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.load()
            return data, image.size
    except (OSError, UnidentifiedImageError, ValueError):
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
