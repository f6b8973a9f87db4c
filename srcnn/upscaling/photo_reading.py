"""Photo files as arrays: grey or RGB, with or without alpha, 8 or 16 bits, upright.

Reading has two steps. `inspect` opens a file and reads its header: what it is, how large it claims to be.
`read_photo` decodes it. The content decides the format, not the name.

A photo's pixels are uint8 or uint16, (height, width) for grey or (height, width, channels): 2 grey and alpha, 3 RGB,
4 RGBA. Alpha is not multiplied into the colour.
"""

from __future__ import annotations

import io
import stat
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from srcnn.errors import DataError
from srcnn.system.printable import printable
from srcnn.upscaling.metadata import Metadata, describes, read_metadata
from srcnn.upscaling.png_tiff import is_deep, is_planar, read_deep

__all__ = ["MAX_PIXELS", "Header", "Photo", "inspect", "read_photo"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

#: The most pixels of a photo, and of a result, unless another number is given.
MAX_PIXELS = 1_000_000_000

#: Pillow's names of the formats that are read.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
#: Suffixes that are usual for a format whose own name they do not end with.
_SUFFIXES = {
    "AVIF": ".avif .avifs",
    "BMP": ".bmp .dib",
    "DIB": ".bmp .dib",
    "GIF": ".gif",
    "JPEG": ".jpg .jpeg .jpe .jfif .jif",
    "JPEG2000": ".jp2 .j2k .jpf .jpx .jpc .j2c",
    "MPO": ".jpg .jpeg .jpe .mpo",
    "PNG": ".png .apng",
    "PPM": ".ppm .pgm .pbm .pnm .pfm",
    "TIFF": ".tif .tiff",
    "WEBP": ".webp",
}
_RAW_SUFFIXES = (".3fr", ".arw", ".cr2", ".dng", ".erf", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".rwl", ".srw")
_DNG_VERSION = 50706
#: What Pillow raises for damaged and hostile files.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    EOFError,
    ZeroDivisionError,
    AttributeError,
    RuntimeError,
    struct.error,
)


@dataclass(frozen=True)
class Header:
    """What a file claims to be.

    Attributes:
        format: Pillow's name, such as JPEG; a JPEG file with several pictures (MPO) counts as JPEG.
        width, height: in pixels, as stored (an EXIF orientation may still turn them).
        notes: what a user should know, each without the file's name.
    """

    format: str
    width: int
    height: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    Attributes:
        pixels: see the module.
        metadata: profile, EXIF, XMP and density. The orientation has been applied.
        format: as in `Header`.
        notes: what was changed at reading, each without the file's name.
    """

    pixels: Pixels
    metadata: Metadata
    format: str
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """1 grey, 2 grey and alpha, 3 RGB, 4 RGBA."""
        return 1 if self.pixels.ndim == 2 else self.pixels.shape[2]


_lock = threading.Lock()
_users = 0
_limit: int | None = None


@contextmanager
def _own_limit() -> Iterator[None]:
    """Lift Pillow's limit of 179 million pixels, which is the process's, while files are opened: ours is checked instead."""
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                Image.MAX_IMAGE_PIXELS = _limit


@cache
def _readable() -> tuple[str, ...]:
    """Return the formats among ours that this build of Pillow reads."""
    Image.init()
    return tuple(form for form in _FORMATS if form in Image.OPEN)


def _reason(error: BaseException) -> str:
    """Return Pillow's message in one line."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def _not_an_image(path: Path, head: bytes) -> str:
    if not head:
        return "is empty"
    if head[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc"):
        return "is a HEIC image, which cannot be read here; save it as JPEG, PNG or TIFF"
    if path.suffix.lower() in (*_RAW_SUFFIXES, ".cr3", ".raf"):
        return "is a camera's raw file; develop it to TIFF or PNG first"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "is a TIFF file of a kind that cannot be read (damaged, or unusual channels or bits)"
    return "is not an image of a format that can be read: JPEG, PNG, TIFF, WebP, GIF, BMP, PPM, JPEG 2000, AVIF"


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[tuple[IO[bytes], Image.Image]]:
    """Open a file and check what it claims; errors become `DataError`."""
    name = printable(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
            raise DataError(f"{name}: is {'a folder' if stat.S_ISDIR(mode) else 'not a regular file'}")
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            with _own_limit(), warnings.catch_warnings(action="ignore"):
                try:
                    image = Image.open(file, formats=_readable())
                except UnidentifiedImageError:
                    raise DataError(f"{name}: {_not_an_image(path, head)}") from None
            width, height = image.size
            if width < 1 or height < 1:
                raise DataError(f"{name}: has no pixels ({width}x{height})")
            if width * height > max_pixels:
                raise DataError(
                    f"{name}: claims {width}x{height} = {width * height:,} pixels, more than --max-pixels {max_pixels:,}; "
                    "it was not decoded"
                )
            yield file, image
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except PermissionError:
        raise DataError(f"{name}: may not be read (permission denied)") from None
    except MemoryError:
        raise DataError(f"{name}: does not fit in memory") from None
    except _DAMAGED as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: cannot be decoded ({_reason(error)})") from error


def _check_kind(path: Path, image: Image.Image, first_page: bool) -> tuple[str, list[str]]:
    """Return the format and notes; refuse several pages and raw files."""
    name = printable(path)
    form = str(image.format)
    notes = []
    tags = getattr(image, "tag_v2", {})
    if form == "TIFF" and (_DNG_VERSION in tags or path.suffix.lower() in _RAW_SUFFIXES):
        raise DataError(f"{name}: {_not_an_image(Path('x.dng'), b'x')}")
    if form == "MPO":
        form = "JPEG"
        notes.append("a JPEG file with more than one picture; the first one is taken")
    elif getattr(image, "is_animated", False):
        pages = "pages" if form == "TIFF" else "frames, it is animated"
        count = getattr(image, "n_frames", 2)
        if not first_page:
            raise DataError(f"{name}: has {count} {pages}; --first-page takes the first one only")
        notes.append(f"first of {count} {pages.partition(',')[0]}")
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES[str(image.format)].split():
        notes.append(
            f"is {form} by its content" + (f", whatever its name says ({printable(suffix)})" if suffix else "")
        )
    return form, notes


def inspect(path: Path, *, first_page: bool = False, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the header of a photo.

    Args:
        path: the file.
        first_page: accept animated and multi-page files, of which the first picture counts.
        max_pixels: the most pixels that the file may claim.

    Raises:
        DataError: the file cannot be opened, is no photo, has several pages, or claims too many pixels.
    """
    with _opened(path, max_pixels) as (_, image):
        form, notes = _check_kind(path, image, first_page)
        return Header(form, *image.size, tuple(notes))


def _srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Convert by colour management to sRGB, mode RGB."""
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, target, outputMode="RGB")
    assert converted is not None  # only with inPlace
    return converted


def _to_rgb(image: Image.Image, icc: bytes | None, notes: list[str]) -> Image.Image:
    """Convert CMYK, LAB and the like to RGB."""
    mode = image.mode
    if mode == "LAB":
        notes.append("LAB was converted to sRGB")
        return _srgb(image, ImageCms.createProfile("LAB"))
    if mode == "CMYK" and icc and icc[16:20] == b"CMYK":
        try:
            converted = _srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)))
            notes.append("CMYK was converted to sRGB by its profile")
            return converted
        except (OSError, ImageCms.PyCMSError):
            notes.append("its CMYK profile cannot be used")
    notes.append(f"{mode} was converted to RGB" + (" without a profile" if mode == "CMYK" else ""))
    return image.convert("RGB")


def _grey_deep(image: Image.Image, name: str) -> Pixels:
    """Return the pixels of the modes I;16 and I (up to 32 bits), with a transparent value as alpha."""
    values = np.asarray(image)
    if values.dtype != np.uint16:
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > 65535:
            raise DataError(
                f"{name}: must have grey values from 0 to 65535, but got {low} to {high}; save it with 16 bits"
            )
    deep = values.astype(np.uint16)
    key = image.info.get("transparency")
    if isinstance(key, int):
        return np.stack([deep, np.where(deep == key, 0, 65535).astype(np.uint16)], axis=2)
    return deep


def _shallow(image: Image.Image, icc: bytes | None, notes: list[str], name: str) -> Pixels:
    """Return the pixels of every mode that Pillow decodes completely."""
    mode = image.mode
    if mode == "F":
        raise DataError(f"{name}: floating-point images are not supported, save it as 8 or 16 bits")
    if mode == "I" or mode.startswith("I;16"):
        return _grey_deep(image, name)
    transparent = "transparency" in image.info or mode in ("PA", "La", "LA", "RGBA", "RGBa")
    if mode in ("1", "L", "LA", "La"):
        if mode == "1":
            notes.append("1 bit becomes 8 bits of grey")
        image = image.convert("LA" if transparent else "L")
    elif mode in ("P", "PA"):
        notes.append("a palette becomes full colour")
        image = image.convert("RGBA" if transparent else "RGB")
    elif mode in ("RGB", "RGBX", "RGBA", "RGBa"):
        image = image.convert("RGBA" if transparent else "RGB")
    else:
        image = _to_rgb(image, icc, notes)
    return np.array(image)


_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def _upright(pixels: Pixels, image: Image.Image) -> Pixels:
    """Apply the EXIF orientation. Pillow has applied a TIFF's already, and then reports none."""
    try:
        turn = _TURNS.get(image.getexif().get(274, 1))
    except Exception:  # damaged EXIF, as in `read_metadata`
        turn = None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _with_key(deep: NDArray[np.uint16], image: Image.Image) -> NDArray[np.uint16]:
    """Turn the one transparent colour of a 16-bit RGB file into alpha."""
    key = image.info.get("transparency")
    if deep.shape[2] != 3 or not isinstance(key, tuple) or len(key) != 3:
        return deep
    alpha = np.where((deep == np.array(key, np.uint16)).all(axis=2), 0, 65535).astype(np.uint16)
    return np.concatenate([deep, alpha[:, :, None]], axis=2)


def read_photo(path: Path, *, first_page: bool = False, max_pixels: int = MAX_PIXELS) -> Photo:
    """Decode a photo.

    Args:
        path, first_page, max_pixels: as for `inspect`.

    Raises:
        DataError: as `inspect` does; or the file is truncated or damaged, or its pixels are of a kind that is not supported.
    """
    name = printable(path)
    with _opened(path, max_pixels) as (file, image), warnings.catch_warnings(action="ignore"):
        form, notes = _check_kind(path, image, first_page)
        if is_planar(image):
            raise DataError(
                f"{name}: must have its 16-bit channels interleaved (planar configuration 1), but has them apart"
            )
        if is_deep(image):

            def reopen() -> Image.Image:
                file.seek(0)
                with _own_limit():
                    return Image.open(io.BytesIO(file.read()), formats=_readable())

            deep, decoded = read_deep(reopen)
            pixels: Pixels = _with_key(deep, decoded)
            metadata = read_metadata(decoded)
        else:
            image.load()
            metadata = read_metadata(image)
            decoded = image
            pixels = _shallow(image, metadata.icc, notes, name)
        pixels = _upright(pixels, decoded)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if metadata.icc and not describes(metadata.icc, channels):
        metadata = metadata.without_icc()
        if not any("sRGB" in note for note in notes):  # where that is said, no other profile can be meant
            notes.append("its colour profile is damaged or for another kind of image and was dropped")
    return Photo(pixels, metadata, form, tuple(notes))
