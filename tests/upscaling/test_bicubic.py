"""Bicubic in parts is the protocol's `imresize` of the whole."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from srcnn.imaging.resize import imresize
from srcnn.upscaling.bicubic import REACH, enlarge_by_integer, read_part, resize_part
from srcnn.upscaling.tiles import Tile


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5, 3), (9, 21), (8, 7, 3)])
def test_a_convolution_is_imresize(scale: int, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    height, width = shape[:2]
    with torch.inference_mode():
        found = enlarge_by_integer(read_part(image, Tile(0, height, 0, width), REACH), scale)
    phases = found.view(height, width, scale, scale, -1).permute(0, 2, 1, 3, 4)
    large = phases.reshape(height * scale, width * scale, *shape[2:]).numpy()
    assert np.allclose(large, imresize(image, scale), atol=1e-6)


def test_a_part_at_the_border_is_mirrored() -> None:
    image = np.array([[1, 2, 3]], np.uint8)
    part = read_part(image, Tile(0, 1, 0, 3), 4)
    assert part.shape == (1, 9, 11, 1)
    assert part[0, 4, :, 0].tolist() == [3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]
    assert (part[0] == part[0, 4]).all()


@pytest.mark.parametrize(("height", "width"), [(5, 4), (40, 33), (20, 15), (13, 31)])
def test_any_size_in_parts_is_imresize(height: int, width: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (20, 15, 3), np.uint8)
    parts = np.empty((height, width, 3))
    for top in range(0, height, 7):
        for left in range(0, width, 9):
            part = Tile(top, min(top + 7, height), left, min(left + 9, width))
            parts[part.top : part.bottom, part.left : part.right] = resize_part(image, height, width, part)
    rows = imresize(image.astype(float), Fraction(height, 20))[:, :, :]
    assert rows.shape[0] == height
    if Fraction(height, 20) == Fraction(width, 15):
        assert np.array_equal(parts, rows)
    whole = resize_part(image, height, width, Tile(0, height, 0, width))
    assert np.array_equal(parts, whole)
