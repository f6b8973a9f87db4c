"""16-bit colour in PNG and TIFF: against tifffile, and against files written by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

import srcnn.upscaling.png_tiff as module
from srcnn.errors import DataError
from srcnn.upscaling.photo_reading import read_photo
from srcnn.upscaling.png_tiff import write_png, write_tiff

from odd_photos import png16

RNG = np.random.default_rng(0)


def noise(kind: str, channels: int, height: int = 37, width: int = 23) -> NDArray[Any]:
    array = RNG.integers(0, np.iinfo(kind).max + 1, (height, width, channels)).astype(kind)
    return array[..., 0] if channels == 1 else array


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_sixteen_bits_of_a_png_are_read(tmp_path: Path, channels: int) -> None:
    deep = noise("uint16", channels)
    (tmp_path / "a.png").write_bytes(png16(deep))
    assert np.array_equal(read_photo(tmp_path / "a.png").pixels, deep)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "layout", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"compression": "zlib", "predictor": True}]
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_all_sixteen_bits_of_a_tiff_are_read(
    tmp_path: Path, order: Literal["<", ">"], layout: dict[str, Any], channels: int
) -> None:
    deep = noise("uint16", channels)
    kind = "minisblack" if channels == 1 else "rgb"
    tifffile.imwrite(tmp_path / "a.tif", deep, byteorder=order, photometric=kind, **layout)
    assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, deep)


def test_a_tiff_with_premultiplied_alpha_is_divided(tmp_path: Path) -> None:
    deep = np.array([[[10_000, 20_000, 0, 20_000], [0, 0, 0, 0]]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["assocalpha"])
    found = read_photo(tmp_path / "a.tif").pixels
    assert found.tolist() == [[[32768, 65535, 0, 20_000], [0, 0, 0, 0]]]


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read_by_others(monkeypatch: pytest.MonkeyPatch, kind: str, channels: int) -> None:
    monkeypatch.setattr(module, "_STRIP", 300)  # several strips
    array = noise(kind, channels)
    array[5:9] = array[5]  # rows that the filters predict
    png, tiff = io.BytesIO(), io.BytesIO()
    write_png(png, array)
    write_tiff(tiff, array, dpi=(300, 150))
    png.seek(0)
    tiff.seek(0)
    assert np.array_equal(tifffile.imread(tiff), array)
    tiff.seek(0)
    assert tifffile.TiffFile(tiff).pages.first.tags["YResolution"].value == (150, 1)
    tiff.seek(0)
    if kind == "uint8" or channels == 1:  # Pillow reads 8 bits of deep colour
        assert np.array_equal(np.asarray(Image.open(png)), array)
        if channels != 2 or kind == "uint8":
            assert np.array_equal(np.asarray(Image.open(tiff)), array)
    else:
        with Image.open(png) as image:
            high = np.asarray(image)
        grey = np.dstack([array[..., 0]] * 3 + [array[..., 1]]) if channels == 2 else array
        assert np.array_equal(high, grey >> 8)


def test_a_tiff_beyond_its_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGEST_TIFF", 100)
    with pytest.raises(DataError, match="smaller than 4 GiB"):
        write_tiff(io.BytesIO(), noise("uint8", 3))
