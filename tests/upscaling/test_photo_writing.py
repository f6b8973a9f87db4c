"""Photos as files: what each format keeps, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from srcnn.errors import ConfigError, DataError
from srcnn.upscaling.metadata import Metadata
from srcnn.upscaling.photo_reading import read_photo
from srcnn.upscaling.photo_writing import (
    FORMATS,
    Encoding,
    check_side,
    format_of,
    output_format,
    parse_color,
    write_photo,
)

from pictures import photo

NOTHING = Metadata()
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def of_kind(kind: str, channels: int) -> NDArray[Any]:
    rgb = photo()
    alpha = np.linspace(0, 255, rgb[..., 0].size).reshape(rgb.shape[:2]).astype(np.uint8)
    array = {1: rgb[..., 0], 2: np.dstack([rgb[..., 0], alpha]), 3: rgb, 4: np.dstack([rgb, alpha])}[channels]
    return array if kind == "uint8" else array.astype(np.uint16) * 257 - (array == 3)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("form", ["png", "tiff"])
def test_png_and_tiff_give_back_what_they_were_given(tmp_path: Path, kind: str, channels: int, form: str) -> None:
    array = of_kind(kind, channels)
    path = tmp_path / f"new folder/a{FORMATS[form]}"
    assert write_photo(path, array, NOTHING, form, Encoding()) == ()
    found = read_photo(path).pixels
    if (kind, channels, form) == ("uint16", 2, "tiff"):  # stored as RGBA, which more programs read
        array = np.concatenate([np.repeat(array[..., :1], 3, axis=2), array[..., 1:]], axis=2)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize("form", FORMATS)
def test_metadata_are_kept_with_the_new_size(tmp_path: Path, form: str) -> None:
    exif = Image.Exif()
    exif[271] = "Maker"
    exif[34665] = {0xA002: 5, 0xA003: 5, 36867: "2026:01:02 03:04:05"}
    exif[34853] = {1: "N", 2: (52.0, 30.0, 0.0)}
    xmp = b"<x tiff:ImageWidth='5'/>"
    path = tmp_path / f"a{FORMATS[form]}"
    write_photo(path, photo(), Metadata(SRGB, exif, xmp, (300.0, 300.0)), form, Encoding())
    found = read_photo(path).metadata
    assert found.icc == SRGB
    assert found.xmp == b"<x tiff:ImageWidth='26'/>"
    if form != "webp":  # has no field for it
        assert found.dpi == pytest.approx((300, 300), abs=0.01)
    assert found.exif is not None
    assert found.exif[271] == "Maker"
    inner = found.exif[34665]
    assert (inner[0xA002], inner[0xA003], inner[36867]) == (26, 31, "2026:01:02 03:04:05")
    assert found.exif[34853][1] == "N"


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_eight_bit_formats_round_sixteen_and_say_so(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"a{FORMATS[form]}"
    notes = write_photo(path, of_kind("uint16", 3), NOTHING, form, Encoding(quality=100))
    assert notes == (f"16 bits became 8: {form.upper()} stores no more",)
    difference = read_photo(path).pixels.astype(int) - photo()
    assert np.abs(difference).mean() < 3


def test_jpeg_refuses_transparent_pixels_or_lays_them_over_a_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with pytest.raises(DataError, match=r"^p: has transparent pixels, which JPEG cannot store; --background white"):
        write_photo(path, of_kind("uint8", 4), NOTHING, "jpeg", Encoding(), name="p")
    assert list(tmp_path.iterdir()) == []
    clear = np.zeros((16, 16, 4), np.uint8)
    clear[:, :, 1] = 255
    write_photo(path, clear, NOTHING, "jpeg", Encoding(quality=100, background=(250, 10, 20)))
    assert np.abs(read_photo(path).pixels.astype(int) - (250, 10, 20)).max() <= 2
    grey = np.full((16, 16, 2), 128, np.uint8)
    write_photo(path, grey, NOTHING, "jpeg", Encoding(quality=100, background=(255, 255, 255)))
    found = read_photo(path).pixels
    assert found.ndim == 2
    assert np.abs(found.astype(int) - 191).max() <= 1  # half of 128 and half of 255
    write_photo(path, grey, NOTHING, "jpeg", Encoding(background=(255, 0, 0)))
    assert read_photo(path).pixels.ndim == 3


def test_an_opaque_alpha_is_no_obstacle_to_jpeg(tmp_path: Path) -> None:
    opaque = np.dstack([photo(), np.full((31, 26), 255, np.uint8)])
    assert write_photo(tmp_path / "a.jpg", opaque, NOTHING, "jpeg", Encoding()) == ()


def test_sides_that_a_format_cannot_store(tmp_path: Path) -> None:
    check_side("p", "jpeg", 65_535, 1)
    with pytest.raises(
        DataError, match=r"^p: JPEG stores at most 65,535 pixels a side, but the result has 65536x1; use --format"
    ):
        check_side("p", "jpeg", 65_536, 1)
    with pytest.raises(DataError, match="at most 16,383"):
        write_photo(tmp_path / "a.webp", np.zeros((16_384, 1), np.uint8), NOTHING, "webp", Encoding())
    check_side("p", "png", 70_000, 70_000)


def test_metadata_that_do_not_fit_are_dropped_with_a_note(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "x" * 70_000
    notes = write_photo(tmp_path / "a.jpg", photo(), Metadata(exif=exif, xmp=b"x" * 66_000), "jpeg", Encoding())
    assert notes == ("its EXIF is too long for JPEG and was dropped", "its XMP is too long for JPEG and was dropped")
    assert write_photo(tmp_path / "a.png", photo(), Metadata(exif=exif, xmp=b"x" * 66_000), "png", Encoding()) == ()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"^p: cannot be written to .*file/a\.png \("):
        write_photo(tmp_path / "file" / "a.png", photo(), NOTHING, "png", Encoding(), name="p")
    bad = Image.Exif()
    bad[271] = object()
    notes = write_photo(tmp_path / "a.png", photo(), Metadata(exif=bad), "png", Encoding())
    assert notes == ("its EXIF cannot be written and was dropped",)


def test_names_of_formats_and_colours() -> None:
    assert [format_of(name) for name in ("JPG", "tif", "WebP", "png")] == ["jpeg", "tiff", "webp", "png"]
    assert parse_color("White") == (255, 255, 255)
    assert parse_color("#0a0B0c") == (10, 11, 12)
    assert [output_format(Encoding(), form) for form in ("JPEG", "GIF", "TIFF", "AVIF")] == [
        "jpeg",
        "png",
        "tiff",
        "png",
    ]
    assert output_format(Encoding("webp"), "JPEG") == "webp"
    with pytest.raises(ConfigError, match="'bmp' does not exist"):
        format_of("bmp")
    with pytest.raises(ConfigError, match="color: must be white, black or #rrggbb, but got 'red'"):
        parse_color("red")
    with pytest.raises(ConfigError, match="quality: must lie between 1 and 100, but got 0"):
        Encoding(quality=0)
    with pytest.raises(ConfigError, match="'jpg' does not exist"):
        Encoding("jpg")


def test_a_complete_file_is_told_of_before_it_gets_its_name(tmp_path: Path) -> None:
    told: list[tuple[bytes, bool]] = []
    path = tmp_path / "p.png"
    write_photo(
        path,
        photo(),
        NOTHING,
        "png",
        Encoding(),
        complete=lambda file: told.append((file.read_bytes(), path.exists())),
    )
    assert told == [(path.read_bytes(), False)]
