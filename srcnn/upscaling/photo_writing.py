"""Photos as files: PNG, JPEG, WebP and TIFF, with the profile, EXIF, XMP and density of the photo they were made from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srcnn.errors import ConfigError, DataError, unknown_name
from srcnn.system.atomic_file import atomic_write
from srcnn.system.printable import printable
from srcnn.upscaling.metadata import Metadata, resized_exif, resized_xmp
from srcnn.upscaling.png_tiff import write_png, write_tiff

__all__ = ["FORMATS", "Encoding", "check_side", "format_of", "output_format", "parse_color", "write_photo"]

Pixels = NDArray[Any]  #: uint8 or uint16

#: Formats that are written -> suffix of the file.
FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif"}
_NAMES = {"jpg": "jpeg", "tif": "tiff"}
#: The longest side that a format can store.
_SIDES = {"jpeg": 65_535, "webp": 16_383, "png": 2**31 - 1, "tiff": 2**31 - 1}
_JPEG_SEGMENT = 65_533
_XMP_HEADER = 29


@dataclass(frozen=True)
class Encoding:
    """How a photo is written.

    Attributes:
        format: a name of `FORMATS`, or None for that of the photo read (PNG where that one is not written here).
        quality: of JPEG and WebP, 1 to 100.
        background: 8-bit colour under transparent pixels for a format without alpha; None refuses such a photo.
    """

    format: str | None = None
    quality: int = 95
    background: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise ConfigError(unknown_name("format", self.format, FORMATS))
        if not 1 <= self.quality <= 100:
            raise ConfigError(f"quality: must lie between 1 and 100, but got {self.quality}")


def format_of(name: str) -> str:
    """Return the format that is meant by a name such as ``JPG`` or ``tiff``.

    Raises:
        ConfigError: there is no such format.
    """
    known = _NAMES.get(name.lower(), name.lower())
    if known not in FORMATS:
        raise ConfigError(unknown_name("format", name, FORMATS))
    return known


def parse_color(text: str) -> tuple[int, int, int]:
    """Return the colour of ``white``, ``black`` or ``#rrggbb`` as three numbers from 0 to 255.

    >>> parse_color("#ff8000")
    (255, 128, 0)

    Raises:
        ConfigError: it is none of these.
    """
    code = {"white": "#ffffff", "black": "#000000"}.get(text.lower(), text)
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", code):
        raise ConfigError(f"color: must be white, black or #rrggbb, but got {text!r}")
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def output_format(encoding: Encoding, source: str) -> str:
    """Return the format of the result for a photo of the format ``source`` (Pillow's name)."""
    own = source.lower()
    return encoding.format or (own if own in FORMATS else "png")


def check_side(name: str, form: str, width: int, height: int) -> None:
    """Check that a result fits the format.

    Args:
        name: of the photo, for the message.
        form: a name of `FORMATS`.

    Raises:
        DataError: a side is longer than the format can store.
    """
    if max(width, height) > _SIDES[form]:
        raise DataError(
            f"{name}: {form.upper()} stores at most {_SIDES[form]:,} pixels a side, but the result has {width}x{height}; "
            "use --format png or tiff"
        )


def _to_8_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    out = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), 256):  # in parts, for memory
        out[top : top + 256] = (pixels[top : top + 256].astype(np.uint32) + 128) // 257
    return out


def _flatten(pixels: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay a picture with alpha over one colour. Grey stays grey over a grey colour."""
    grey = pixels.shape[2] == 2
    if grey and len(set(background)) > 1:
        pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
        grey = False
    color = np.array(background[:1] if grey else background, np.uint32)
    out = np.empty((*pixels.shape[:2], pixels.shape[2] - 1), np.uint8)
    for top in range(0, len(pixels), 256):
        part = pixels[top : top + 256].astype(np.uint32)
        alpha = part[..., -1:]
        out[top : top + 256] = (part[..., :-1] * alpha + color * (255 - alpha) + 127) // 255
    return out[..., 0] if grey else out


def _exif_bytes(exif: Image.Exif | None) -> bytes | None:
    """Return EXIF with its ``Exif`` prefix; None if a value in it cannot be written."""
    if exif is None:
        return None
    try:
        return exif.tobytes()
    except Exception:  # values of damaged files fail in many ways; the photo is worth more than its tags
        return None


def _prepared(
    pixels: Pixels, form: str, background: tuple[int, int, int] | None, name: str
) -> tuple[Pixels, list[str]]:
    """Return the pixels as the format can store them, and notes on what that cost."""
    notes = []
    if form in ("jpeg", "webp") and pixels.dtype != np.uint8:
        pixels = _to_8_bits(pixels)
        notes.append(f"16 bits became 8: {form.upper()} stores no more")
    if form == "jpeg" and pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        if bool((pixels[..., -1] == np.iinfo(pixels.dtype).max).all()):
            pixels = pixels[..., 0] if pixels.shape[2] == 2 else np.ascontiguousarray(pixels[..., :3])
        elif background is None:
            raise DataError(
                f"{name}: has transparent pixels, which JPEG cannot store; --background white puts a colour under them, or "
                "use --format png, webp or tiff"
            )
        else:
            pixels = _flatten(_to_8_bits(pixels), background)
            notes.append("transparent pixels were laid over the background")
    return pixels, notes


def write_photo(
    path: Path,
    pixels: Pixels,
    metadata: Metadata,
    form: str,
    encoding: Encoding,
    *,
    name: str | None = None,
    complete: Callable[[Path], object] | None = None,
) -> tuple[str, ...]:
    """Write a photo; the file is whole or not there.

    Args:
        path: the file. Its folder is made.
        pixels: uint8 or uint16; (height, width) or (height, width, channels) as in `srcnn.upscaling.photo_reading`.
        metadata: of the photo it was made from; sizes in it are put right.
        form: a name of `FORMATS`.
        encoding: quality and background. Its format is not looked at.
        name: the photo's name for messages; that of ``path`` if None.
        complete: called with the complete file before it is renamed to ``path``.

    Returns:
        Notes on what the format could not store.

    Raises:
        DataError: the format cannot store the photo, or the file cannot be written.
    """
    name = printable(path) if name is None else name
    height, width = pixels.shape[:2]
    check_side(name, form, width, height)
    pixels, notes = _prepared(pixels, form, encoding.background, name)
    if metadata.icc and pixels.ndim == 3 and pixels.shape[2] >= 3 and metadata.icc[16:20] == b"GRAY":
        metadata = metadata.without_icc()  # grey laid over a colour
    exif = resized_exif(metadata.exif, width, height)
    xmp = resized_xmp(metadata.xmp, width, height)
    tags = _exif_bytes(exif)
    if exif is not None and tags is None:
        exif = None
        notes.append("its EXIF cannot be written and was dropped")
    if form == "jpeg":
        if tags and len(tags) > _JPEG_SEGMENT:
            tags = None
            notes.append("its EXIF is too long for JPEG and was dropped")
        if xmp and len(xmp) > _JPEG_SEGMENT - _XMP_HEADER:
            xmp = None
            notes.append("its XMP is too long for JPEG and was dropped")
    try:
        with atomic_write(path) as temporary:
            with temporary.open("wb") as file:
                if form == "tiff":
                    if pixels.ndim == 3 and pixels.shape[2] == 2 and pixels.dtype == np.uint16:
                        # few programs read grey with alpha of 16 bits; Pillow does not
                        pixels = np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
                    write_tiff(file, pixels, icc=metadata.icc, exif=exif, xmp=xmp, dpi=metadata.dpi)
                elif form == "png":
                    bare = tags.removeprefix(b"Exif\0\0") if tags else None
                    write_png(file, pixels, icc=metadata.icc, exif=bare, xmp=xmp, dpi=metadata.dpi)
                else:
                    options = _options(form, metadata, tags, xmp, encoding.quality)
                    Image.fromarray(pixels).save(file, form.upper(), **options)
            if complete is not None:
                complete(temporary)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(f"{name}: cannot be written to {printable(path)} ({printable(str(error))})") from error
    except MemoryError:
        raise DataError(f"{name}: the result does not fit in memory") from None
    return tuple(notes)


def _options(form: str, metadata: Metadata, exif: bytes | None, xmp: bytes | None, quality: int) -> dict[str, Any]:
    """Return Pillow's options for JPEG and WebP."""
    options: dict[str, Any] = {"quality": quality}
    if form == "jpeg":
        # Full colour resolution: the chroma was just enlarged, so the usual halving would lose what the photo had.
        options["subsampling"] = 0
        if metadata.dpi:
            options["dpi"] = metadata.dpi
    else:
        options["method"] = 2  # twice as fast as 4, Pillow's default, for 3 % more bytes
    given = {"icc_profile": metadata.icc, "exif": exif, "xmp": xmp}
    return options | {key: value for key, value in given.items() if value}
