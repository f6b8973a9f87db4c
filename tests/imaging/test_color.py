"""BT.601 against its printed coefficients, in exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from srcnn.imaging.color import luma, rgb_to_ycbcr, ycbcr_to_rgb

# ITU-R BT.601 for 8-bit images, in thousandths: rows Y, Cb, Cr; columns R, G, B.
THOUSANDTHS = [(65481, 128553, 24966), (-37797, -74203, 112000), (112000, -93786, -18214)]
OFFSETS = [16, 128, 128]


def lattice(start: int = 0, stop: int = 256, step: int = 15) -> NDArray[np.uint8]:
    """(n, n^2, 3): every colour of a coarse grid."""
    levels = np.arange(start, stop, step)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return grid.reshape(len(levels), -1, 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 240)),  # 16 + 65.481, 128 - 37.797, 128 + 112
        ((0, 255, 0), (145, 54, 34)),  # 16 + 128.553, 128 - 74.203, 128 - 93.786
        ((0, 0, 255), (41, 240, 110)),  # 16 + 24.966, 128 + 112, 128 - 18.214
    ],
)
def test_known_colours(rgb: tuple[int, int, int], ycbcr: tuple[int, int, int]) -> None:
    pixel = np.array([[rgb]], dtype=np.uint8)
    assert tuple(rgb_to_ycbcr(pixel)[0, 0]) == ycbcr
    assert luma(pixel)[0, 0] == ycbcr[0]


def test_agrees_with_exact_fractions() -> None:
    image = lattice()
    found = rgb_to_ycbcr(image)
    for rgb, ycbcr in zip(image.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        for row, offset, got in zip(THOUSANDTHS, OFFSETS, ycbcr, strict=True):
            exact = offset + sum(Fraction(c * int(v), 255_000) for c, v in zip(row, rgb, strict=True))
            if exact % 1 != Fraction(1, 2):  # at a tie, the last bit of the floating-point sum decides, in MATLAB too
                assert got == math.floor(exact + Fraction(1, 2))


def test_luma_is_the_first_plane() -> None:
    image = lattice()
    np.testing.assert_array_equal(luma(image), rgb_to_ycbcr(image)[:, :, 0])
    assert luma(image).dtype == np.uint8


def test_a_grey_image_is_its_own_luma() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(luma(grey), grey)


def test_ycbcr_survives_rgb_exactly_inside_the_gamut() -> None:
    """RGB rounded to 8 bits moves Y by at most 0.43 and Cb, Cr by at most 0.44: less than half a level."""
    ycbcr = rgb_to_ycbcr(lattice(8, 248))
    np.testing.assert_array_equal(rgb_to_ycbcr(ycbcr_to_rgb(ycbcr)), ycbcr)


def test_rgb_survives_ycbcr_to_within_its_rounding() -> None:
    """Half a level of Y, Cb and Cr is up to 1.6 levels of blue."""
    image = lattice()
    there_and_back = ycbcr_to_rgb(rgb_to_ycbcr(image)).astype(int)
    assert np.abs(there_and_back - image).max() <= 2
    assert np.abs(there_and_back - image).mean() < 0.6


def test_colours_outside_the_cube_are_clipped() -> None:
    outside = np.array([[[235.0, 128.0, 240.0], [16.0, 240.0, 128.0], [300.0, 128.0, 128.0]]])
    rgb = ycbcr_to_rgb(outside)
    assert rgb.dtype == np.uint8
    assert rgb[0, 0, 0] == 255  # 255 + 1.596 * 112
    assert rgb[0, 1, 0] == 0
    assert tuple(rgb[0, 2]) == (255, 255, 255)


@pytest.mark.parametrize("grey", [0, 1, 127, 128, 254, 255])
def test_greys_have_no_colour_and_come_back_exactly(grey: int) -> None:
    pixel = np.full((1, 1, 3), grey, dtype=np.uint8)
    ycbcr = rgb_to_ycbcr(pixel)
    assert tuple(ycbcr[0, 0, 1:]) == (128, 128)
    assert ycbcr[0, 0, 0] == math.floor(16 + Fraction(219 * grey, 255) + Fraction(1, 2))
    assert np.abs(ycbcr_to_rgb(ycbcr).astype(int) - grey).max() <= 1  # 219 levels of Y for 255 of grey
