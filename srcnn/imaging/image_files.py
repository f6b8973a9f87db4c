"""Reading and writing of image files, and the crop to a size divisible by the scale.

An image in this package is a uint8 array: (height, width) for grey, (height, width, 3) for RGB.

Training and evaluation hold whole images and some planes of them: an evaluation with SSIM takes 35 bytes for each pixel (1.5 GB
for 40 megapixels). So an image may have at most `MAX_PIXELS`, and what the headers of a folder claim is
summed up before the first file is decoded. `srcnn.upscaling` has its own reader, for photos of any size.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from srcnn.errors import ConfigError, DataError
from srcnn.system.atomic_file import atomic_write
from srcnn.system.machine_memory import machine_memory, size_in_words

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "check_together",
    "list_images",
    "modcrop",
    "read_image",
    "shown_name",
    "write_image",
]

#: The most pixels of an image for training and evaluation.
MAX_PIXELS = 40_000_000

_GREY = ("1", "L", "LA")
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
        DataError: the file is missing, truncated, not an image, or has more than `MAX_PIXELS`. The message names the file.
    """
    with _opened(path) as file:
        width, height = file.size
        if width * height > MAX_PIXELS:
            raise DataError(
                f"{path}: an image must have at most {MAX_PIXELS / 1e6:.0f} megapixels, because training and evaluation hold it "
                f"whole, but got {width}x{height}, {width * height / 1e6:.1f} megapixels"
            )
        file.load()
        image = ImageOps.exif_transpose(file)
    if image.mode.startswith("I;16") or image.mode == "I":
        deep = np.asarray(image, dtype=np.float64)
        return np.clip(np.floor(deep / 257.0 + 0.5), 0, 255).astype(np.uint8)
    if image.mode == "F":
        raise DataError(f"{path}: floating-point images are not supported, save it as 8 or 16 bits")
    grey = image.mode in _GREY
    return np.array(image.convert("L" if grey else "RGB"))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file. What its decoder raises inside the block becomes a `DataError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower
            with Image.open(path) as file:
                yield file
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # decoders raise errors of any kind on damaged files: SyntaxError, AttributeError, struct.error
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"cannot be decoded ({error})"
        raise DataError(f"{path}: {reason}") from error


def check_together(files: Sequence[Path], name: str, held: int = 0) -> None:
    """Check by their headers that this machine can hold the images of some files. Files that are no images are not counted.

    Args:
        files: image files.
        name: name of the set or folder, for the message.
        held: bytes of the images that are held besides.

    Raises:
        DataError: it cannot. The message has both figures.
    """
    pixels, size, has = 0, 0, machine_memory()
    for file in files:
        try:
            with _opened(file) as image:
                count = image.size[0] * image.size[1]
                if count <= MAX_PIXELS:  # the file alone is refused or skipped
                    pixels, size = pixels + count, size + count * (1 if image.mode in _GREY else 3)
        except DataError:
            continue
    if size + held > has:
        more = f" beside {size_in_words(held)} of others" if held else ""
        raise DataError(
            f"{name}: its {len(files)} images of {pixels / 1e6:.0f} megapixels together would take {size_in_words(size)}{more}, "
            f"this machine has {size_in_words(has)}; give fewer or smaller images"
        )


def shown_name(name: str) -> str:
    r"""Return the name of a file as text: its bytes that are no UTF-8 become ``\xNN``, because records and digests are UTF-8.

    >>> shown_name("woman"), shown_name("a\udcff")
    ('woman', 'a\\xff')
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


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
