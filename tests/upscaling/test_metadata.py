"""EXIF, XMP, profiles and density: read, and put right for another size."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from srcnn.upscaling.metadata import Metadata, describes, read_metadata, resized_exif, resized_xmp
from srcnn.upscaling.photo_reading import read_photo
from srcnn.upscaling.photo_writing import Encoding, write_photo

from pictures import photo


def exif_of(fields: dict[int, Any], inner: dict[int, Any]) -> Image.Exif:
    exif = Image.Exif()
    exif.update(fields)
    exif[34665] = inner
    return exif


def stored(form: str = "JPEG", **options: Any) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(photo()).save(file, form, **options)
    image = Image.open(file)
    image.load()
    return image


def test_tags_of_the_photo_are_kept_and_those_of_the_file_are_not() -> None:
    exif = exif_of(
        {271: "Maker", 274: 6, 256: 26, 257: 31, 33432: "me"}, {0xA002: 26, 0xA003: 31, 33434: IFDRational(1, 50)}
    )
    found = read_metadata(stored(exif=exif.tobytes())).exif
    assert found is not None
    assert set(found) == {271, 33432, 34665}
    large = resized_exif(found, 78, 93)
    assert large is not None
    again = Image.Exif()
    again.load(large.tobytes())
    inner = again.get_ifd(34665)
    assert (inner[0xA002], inner[0xA003]) == (78, 93)
    assert float(inner[33434]) == pytest.approx(1 / 50)
    assert (again[271], again[33432]) == ("Maker", "me")


def test_sizes_that_are_not_stated_are_not_added() -> None:
    large = resized_exif(exif_of({271: "Maker"}, {33434: IFDRational(1, 50)}), 78, 93)
    assert large is not None
    assert 0xA002 not in large[34665]
    assert resized_exif(None, 1, 1) is None


def test_the_layout_of_a_tiff_is_not_taken_for_metadata() -> None:
    image = stored("TIFF", tiffinfo={270: "words", 306: "2026:01:02 03:04:05"}, dpi=(300, 300))
    found = read_metadata(image)
    assert found.exif is not None
    assert {270, 306} <= set(found.exif) <= {270, 306, 282, 283, 296}
    assert found.dpi == (300, 300)


def test_a_damaged_block_is_left_out() -> None:
    image = stored()
    image.info["exif"] = b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(20)
    assert read_metadata(image).exif is None
    image.info["dpi"] = ("many", None)
    image.info["icc_profile"] = ""
    assert read_metadata(image) == Metadata()


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 72.0), (1e9, 72.0), (72.0,)])
def test_impossible_densities_are_left_out(dpi: tuple[float, ...]) -> None:
    image = stored()
    image.info["dpi"] = dpi
    assert read_metadata(image).dpi is None


def test_xmp_states_the_new_size_and_no_turn() -> None:
    packet = (
        b"<r tiff:Orientation='6' tiff:ImageWidth = \"26\" exif:PixelYDimension='31'><tiff:ImageLength>31</tiff:ImageLength>"
        b"<xmp:Thumbnails><rdf:Alt>\n..</rdf:Alt></xmp:Thumbnails><dc:title>26</dc:title></r>"
    )
    assert resized_xmp(packet, 78, 93) == (
        b"<r tiff:Orientation='1' tiff:ImageWidth = \"78\" exif:PixelYDimension='93'><tiff:ImageLength>93</tiff:ImageLength>"
        b"<dc:title>26</dc:title></r>"
    )
    assert resized_xmp(None, 1, 1) is None


def test_a_profile_must_be_for_the_kind_of_image() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert describes(srgb, 3)
    assert describes(srgb, 4)
    assert not describes(srgb, 1)
    assert not describes(b"no profile", 3)
    assert not describes(b"", 3)
    kept = Metadata(icc=srgb, dpi=(72, 72))
    assert kept.without_icc() == Metadata(dpi=(72, 72))


def block(*entries: tuple[int, int, int, bytes], following: int = 0, tail: bytes = b"") -> bytes:
    """An EXIF block with one directory at byte 8: tag, type, count and the four bytes of the value of each entry."""
    packed = b"".join(struct.pack("<HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    head = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries))
    return head + packed + struct.pack("<I", following) + tail


ODD_BLOCKS = {
    "an orientation in words": block((274, 2, 4, b"abc\0")),
    "an orientation that divides by zero": block((274, 5, 1, struct.pack("<I", 26)), tail=struct.pack("<II", 1, 0)),
    "an orientation that is no number": block((274, 11, 1, struct.pack("<f", math.nan))),
    "more values than the file has": block((274, 3, 0xFFFFFFFF, struct.pack("<I", 8))),
    "no value": block((274, 3, 0, struct.pack("<I", 1))),
    "a type that does not exist": block((274, 99, 1, struct.pack("<I", 6)), (271, 99, 1, bytes(4))),
    "a directory that contains itself": block((34665, 4, 1, struct.pack("<I", 8)), (34853, 4, 1, struct.pack("<I", 8))),
    "a directory past the end": block((34665, 4, 1, struct.pack("<I", 1 << 30))),
    "a directory in words": block((34665, 2, 4, b"abcd")),
    "a directory that divides by zero": block((34665, 5, 1, struct.pack("<I", 26)), tail=struct.pack("<II", 0, 0)),
    "directories in a ring": block((271, 2, 4, b"abc\0"), following=8),
    "more entries than the file has": b"Exif\0\0II*\0" + struct.pack("<IH", 8, 0xFFFF) + bytes(50),
    "a beginning past the end": b"Exif\0\0II*\0" + struct.pack("<I", 1 << 31),
    "a header that ends": b"Exif\0\0II*\0",
    "nothing": b"Exif\0\0",
}


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("block", ODD_BLOCKS.values(), ids=ODD_BLOCKS)
def test_a_photo_with_an_odd_block_is_read_and_written(block: bytes, form: str, tmp_path: Path) -> None:
    """Pillow answers them with struct.error, ValueError, TypeError, SyntaxError, ZeroDivisionError or AttributeError."""
    given = np.full((7, 9, 3), 90, np.uint8)
    Image.fromarray(given).save(tmp_path / "odd", form, exif=block)
    photo = read_photo(tmp_path / "odd")
    assert photo.pixels.shape == given.shape and (photo.pixels == given).all()
    for name in ("jpeg", "tiff"):
        write_photo(tmp_path / "out", photo.pixels, photo.metadata, name, Encoding())
        assert read_photo(tmp_path / "out").pixels.shape == given.shape
