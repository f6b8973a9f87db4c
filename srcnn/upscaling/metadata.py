"""What a photo's file says besides its pixels: colour profile, EXIF, XMP and density, put right for another size."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image, ImageCms

__all__ = ["Metadata", "describes", "read_metadata", "resized_exif", "resized_xmp"]

#: Tags of the main directory that describe the photo and not the file. A TIFF's directory also says where its pixels lie.
_KEPT = frozenset(
    [
        270, 271, 272, 282, 283, 296, 301, 305, 306, 315, 316, 318, 319, 529, 531, 18246, 18249, 33432, 33723, 34665, 34853,
        40091, 40092, 40093, 40094, 40095, 42016, 50708, 50721,
    ]
)  # fmt: skip
_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003

#: Channels of a result -> the colour space that its profile must be for.
_SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}


@dataclass(frozen=True)
class Metadata:
    """Metadata of one photo; None where the file has none.

    Attributes:
        icc: colour profile.
        exif: tags, without orientation, thumbnail and what describes the old file's layout.
        xmp: XMP packet, UTF-8.
        dpi: dots an inch, horizontal and vertical.
    """

    icc: bytes | None = None
    exif: Image.Exif | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    def without_icc(self) -> Metadata:
        """Return the same without the colour profile."""
        return replace(self, icc=None)


def describes(icc: bytes, channels: int) -> bool:
    """Return whether a colour profile can be read and is for grey (1 or 2 channels) or RGB (3 or 4) images."""
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError):
        return False
    return icc[16:20] == _SPACES[channels]


def _plain(value: Any) -> Any:
    """Return a value that does not lie in the file."""
    return dict(value) if isinstance(value, dict) else value


def _read_exif(image: Image.Image) -> Image.Exif | None:
    found = image.getexif()
    kept = Image.Exif()
    for tag in list(found):
        if tag in _DIRECTORIES:
            inner = {key: _plain(value) for key, value in found.get_ifd(tag).items()}
            interop = ExifTags.IFD.Interop
            if interop in inner and not isinstance(inner[interop], dict):
                inner[interop] = dict(found.get_ifd(interop))
            if inner:
                kept[tag] = inner
        elif tag in _KEPT:
            kept[tag] = found[tag]
    return kept if len(kept) else None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if 0.1 <= number <= 1e5 else None  # NaN is neither


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    given = image.info.get("dpi")
    if not isinstance(given, tuple) or len(given) != 2:
        return None
    horizontal, vertical = _number(given[0]), _number(given[1])
    return (horizontal, vertical) if horizontal and vertical else None


def read_metadata(image: Image.Image) -> Metadata:
    """Read the metadata of a decoded image. What is damaged is left out."""
    try:
        with warnings.catch_warnings(action="ignore"):
            exif = _read_exif(image)
    except Exception:  # a damaged EXIF block fails in many ways, and is no reason to refuse the photo
        exif = None
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode("utf-8", "replace")
    icc = image.info.get("icc_profile")
    return Metadata(
        icc=icc if isinstance(icc, bytes) and icc else None,
        exif=exif,
        xmp=xmp.rstrip(b"\0") or None if isinstance(xmp, bytes) else None,
        dpi=_read_dpi(image),
    )


def resized_exif(exif: Image.Exif | None, width: int, height: int) -> Image.Exif | None:
    """Return the tags for the photo with another size: the pixel dimensions are set where the tags state them."""
    if exif is None:
        return None
    result = Image.Exif()
    for tag, value in exif.items():
        if tag == ExifTags.IFD.Exif and isinstance(value, dict):
            sizes = {_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
            result[tag] = {key: sizes.get(key, entry) for key, entry in value.items()}
        else:
            result[tag] = value
    return result


def resized_xmp(xmp: bytes | None, width: int, height: int) -> bytes | None:
    """Return the XMP packet for the photo upright and with another size.

    Pixel dimensions and orientation are set where the packet states them; thumbnails are removed.
    """
    if xmp is None:
        return None
    for name, value in (
        (rb"(?:tiff:ImageWidth|exif:PixelXDimension)", width),
        (rb"(?:tiff:ImageLength|exif:PixelYDimension)", height),
        (rb"tiff:Orientation", 1),
    ):
        text = str(value).encode()
        xmp = re.sub(rb"(" + name + rb"\s*=\s*[\"'])\s*\d+\s*([\"'])", rb"\g<1>" + text + rb"\g<2>", xmp)
        xmp = re.sub(rb"(<" + name + rb"\s*>)\s*\d+\s*(</)", rb"\g<1>" + text + rb"\g<2>", xmp)
    return re.sub(rb"<xmp:Thumbnails\b.*?</xmp:Thumbnails\s*>", b"", xmp, flags=re.DOTALL)
