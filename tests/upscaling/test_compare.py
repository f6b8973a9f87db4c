"""The picture that shows bicubic and the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from srcnn.errors import DataError
from srcnn.upscaling.compare import comparison, write_comparison
from srcnn.upscaling.enlarge import upscale

from pictures import photo


@pytest.mark.parametrize("size", [(78, 93), (65, 70), (26, 31), (13, 20)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_bicubic_beside_itself_shows_no_difference(size: tuple[int, int], channels: int, kind: type) -> None:
    rgb = photo()
    whole = np.dstack([rgb, rgb[..., 0]])
    array: NDArray[Any] = {1: rgb[..., 0], 2: whole[..., :2], 3: rgb, 4: whole}[channels].astype(kind)
    if kind is np.uint16:
        array = array * np.uint16(257)
    array = np.ascontiguousarray(array)
    picture = comparison(array, upscale(array, size=size, network="bicubic"), "same").astype(int)
    assert picture.shape[2] == 3
    width = (picture.shape[1] - 8) // 2
    left, right = picture[27:-10, 8:width], picture[27:-10, 8 + width : 2 * width]
    rows = min(size[1] - 2, len(left))
    assert np.abs(left[:rows] - right[:rows]).max() <= 1


def test_a_part_of_a_large_photo_is_that_part_of_the_whole() -> None:
    """The detail is in one corner, far from the others: the picture shows it, and its bicubic is that of the whole photo."""
    large = np.full((700, 900), 100, np.uint8)
    large[500:640, 600:800] = np.random.default_rng(0).integers(0, 256, (140, 200), dtype=np.uint8)
    result = upscale(large, 3, network="bicubic")
    picture = comparison(large, result, "same")
    half = (picture.shape[1] - 8) // 2
    shown = picture[26 : 26 + 510, 8 : 8 + 510].astype(int)
    assert shown.std() > 40
    beside = picture[26 : 26 + 510, 8 + half : 8 + half + 510]
    assert np.abs(shown - beside).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_tiny_photos(shape: tuple[int, int]) -> None:
    array = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    assert comparison(array, upscale(array, 3, network="bicubic"), "same").ndim == 3


def test_writing(tmp_path: Path) -> None:
    write_comparison(
        tmp_path / "a_compare.png", photo(), np.repeat(np.repeat(photo(), 2, axis=0), 2, axis=1), "nearest"
    )
    with Image.open(tmp_path / "a_compare.png") as image:
        assert image.mode == "RGB"
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"c\.png: cannot be written"):
        write_comparison(tmp_path / "file" / "c.png", photo(), photo(), "same")
