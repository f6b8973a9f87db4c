"""Odd files: what is read of each, and what is refused how."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from srcnn.errors import DataError
from srcnn.upscaling.photo_reading import inspect, read_photo

from odd_photos import HEIGHT, ODD_PHOTOS, WIDTH, OddPhoto, path_of, png16
from pictures import photo


@pytest.mark.parametrize("odd", ODD_PHOTOS, ids=lambda odd: odd.label)
def test_odd_photos(tmp_path: Path, odd: OddPhoto) -> None:
    path = path_of(odd, tmp_path)
    path.write_bytes(odd.make())
    if odd.refused:
        with pytest.raises(DataError) as refusal:
            read_photo(path)
        message = str(refusal.value)
        assert odd.refused in message
        assert message.isprintable(), "one line, no control characters"
        return
    header, found = inspect(path), read_photo(path)
    assert found.format == header.format
    height, width = found.pixels.shape[:2]
    assert (str(found.pixels.dtype), found.channels, (width, height)) == (odd.dtype, odd.channels, odd.size)
    assert {width, height} == {header.width, header.height}
    assert odd.note in "; ".join(found.notes)
    assert bool(odd.note) == bool(found.notes), found.notes


def test_there_are_enough() -> None:
    assert len(ODD_PHOTOS) >= 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_pillow_turns_it(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[274] = orientation
    for form in ("png", "tiff", "webp"):
        path = tmp_path / f"a.{form}"
        options: dict[str, Any] = {"lossless": True} if form == "webp" else {}
        Image.fromarray(photo()).save(path, exif=exif, **options)
        found = read_photo(path)
        with Image.open(path) as image:
            assert np.array_equal(found.pixels, np.asarray(ImageOps.exif_transpose(image)))
        assert found.metadata.exif is None


def test_deep_photos_are_turned_too(tmp_path: Path) -> None:
    deep = np.arange(6 * 4 * 3, dtype=np.uint16).reshape(6, 4, 3) * 700
    exif = Image.Exif()
    exif[274] = 6
    from srcnn.upscaling.png_tiff import write_png

    with (tmp_path / "a.png").open("wb") as file:
        write_png(file, deep, exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    assert np.array_equal(read_photo(tmp_path / "a.png").pixels, np.rot90(deep, -1))


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    """A profile that says CMYK and is sRGB's cannot be used: the conversion without one is said."""
    srgb = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    srgb[16:20] = b"CMYK"
    path = tmp_path / "a.jpg"
    Image.fromarray(photo()).convert("CMYK").save(path, icc_profile=bytes(srgb))
    found = read_photo(path)
    assert found.metadata.icc is None
    assert any("CMYK" in note for note in found.notes)


def test_lab_is_converted_to_the_colours_it_means(tmp_path: Path) -> None:
    path = tmp_path / "lab.tif"
    path.write_bytes(next(odd for odd in ODD_PHOTOS if odd.name == "lab.tif").make())
    difference = read_photo(path).pixels.astype(int) - photo(HEIGHT, WIDTH)
    assert np.abs(difference).max() <= 6  # 8 bits of L, a and b
    assert np.abs(difference).mean() < 1


def test_transparent_values_become_alpha(tmp_path: Path) -> None:
    grey = photo(grey=True)
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=int(grey[3, 4]))
    found = read_photo(tmp_path / "a.png").pixels
    assert np.array_equal(found[..., 0], grey)
    assert np.array_equal(found[..., 1] == 0, grey == grey[3, 4])
    path = tmp_path / "key16.png"
    path.write_bytes(next(odd for odd in ODD_PHOTOS if odd.name == "key16.png").make())
    clear = read_photo(path).pixels
    assert clear[0, 0, 3] == 0
    assert (clear[..., 3] == 65535).mean() > 0.9


def test_first_page_takes_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(next(odd for odd in ODD_PHOTOS if odd.name == "pages.tif").make())
    found = read_photo(path, first_page=True)
    assert np.array_equal(found.pixels, photo(HEIGHT, WIDTH))
    assert found.notes == ("first of 2 pages",)
    assert inspect(path, first_page=True).notes == found.notes


def test_claims_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png16(np.zeros((1, 1), np.uint16), claim=(2**31 - 1, 2**31 - 1)))
    with pytest.raises(DataError, match=r"more than --max-pixels 1,000,000,000; it was not decoded"):
        inspect(path)
    Image.fromarray(photo()).save(path)
    with pytest.raises(DataError, match=r"claims 26x31 = 806 pixels, more than --max-pixels 805;"):
        read_photo(path, max_pixels=805)
    assert read_photo(path, max_pixels=806).pixels.shape == (31, 26, 3)


def test_pillows_own_limit_is_lifted_only_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(photo()).save(tmp_path / "a.png")
    with warnings.catch_warnings(action="error"):
        read_photo(tmp_path / "a.png")
    assert Image.MAX_IMAGE_PIXELS == 100


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.png: no such file"):
        read_photo(tmp_path / "missing.png")
    with pytest.raises(DataError, match="is a folder"):
        read_photo(tmp_path)
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="not a regular file"):
        read_photo(tmp_path / "pipe.png")


def test_metadata_come_along(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(next(odd for odd in ODD_PHOTOS if odd.name == "profile.jpg").make())
    metadata = read_photo(path).metadata
    assert metadata.icc is not None
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc))).startswith("sRGB")
    assert metadata.dpi == (300, 300)
    assert metadata.xmp is not None
    assert b"tiff:Orientation" in metadata.xmp
