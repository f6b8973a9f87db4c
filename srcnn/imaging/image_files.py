"""Reading and writing of image files, and the crop to a size divisible by the scale.

An image in this package is a uint8 array: (height, width) for grey, (height, width, 3) for RGB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from srcnn.errors import ConfigError, DataError
from srcnn.system.atomic_file import atomic_write

__all__ = ["SUFFIXES", "list_images", "modcrop", "read_image", "write_image"]

#: Suffixes of image files.
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def list_images(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted by name, without hidden files.

    Raises:
        DataError: the folder is missing or contains no image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file())
    if not files:
        raise DataError(f"{folder}: contains no image ({', '.join(SUFFIXES)})")
    return files


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image file to uint8: (height, width) if it is grey, else (height, width, 3) RGB.

    The EXIF orientation is applied, transparency is dropped, 16-bit grey is scaled to 8 bits.

    Raises:
        DataError: the file is missing, truncated or not an image. The message names the file.
    """
    try:
        with Image.open(path) as file:
            file.load()
            image = ImageOps.exif_transpose(file)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"cannot be decoded ({error})"
        raise DataError(f"{path}: {reason}") from error
    if image.mode.startswith("I;16") or image.mode == "I":
        deep = np.asarray(image, dtype=np.float64)
        return np.clip(np.floor(deep / 257.0 + 0.5), 0, 255).astype(np.uint8)
    if image.mode == "F":
        raise DataError(f"{path}: floating-point images are not supported, save it as 8 or 16 bits")
    grey = image.mode in ("1", "L", "LA")
    return np.array(image.convert("L" if grey else "RGB"))


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a uint8 image atomically. The suffix selects the format.

    Raises:
        DataError: the suffix is not supported, or the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the suffix must be one of {', '.join(SUFFIXES)}")
    try:
        with atomic_write(path) as temporary:
            Image.fromarray(image).save(temporary)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error})") from error


def modcrop(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Crop rows at the bottom and columns at the right so that both side lengths are divisible by ``scale``.

    >>> modcrop(np.zeros((256, 255), np.uint8), 3).shape
    (255, 255)

    Raises:
        ConfigError: ``scale`` is below 1.
    """
    if scale < 1:
        raise ConfigError(f"scale: must be at least 1, but got {scale}")
    height, width = image.shape[:2]
    return image[: height - height % scale, : width - width % scale]
