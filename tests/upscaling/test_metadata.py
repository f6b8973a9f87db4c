"""EXIF, XMP, profiles and density: read, and put right for another size."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from srcnn.upscaling.metadata import Metadata, describes, read_metadata, resized_exif, resized_xmp

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
