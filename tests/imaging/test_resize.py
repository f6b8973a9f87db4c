"""Bicubic resizing against the formula of Keys (1981) in exact fractions, and against values worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError
from srcnn.imaging.resize import bicubic_weights, cubic, imresize

SCALES = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 4), Fraction(2), Fraction(3), Fraction(4)]


def keys(x: Fraction) -> Fraction:
    """The cubic convolution kernel as the paper prints it, for a = -1/2."""
    a, x = Fraction(-1, 2), abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    if x < 2:
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return Fraction(0)


def mirrored(index: int, length: int) -> int:
    """1 2 3 -> ... 3 2 1 | 1 2 3 | 3 2 1 ..., one reflection at a time."""
    while not 0 <= index < length:
        index = -1 - index if index < 0 else 2 * length - 1 - index
    return index


def resize_line(line: list[Fraction], scale: Fraction) -> list[Fraction]:
    stretch = min(scale, Fraction(1))
    out = []
    for i in range(math.ceil(len(line) * scale)):
        centre = (i + Fraction(1, 2)) / scale - Fraction(1, 2)
        reach = math.ceil(2 / stretch) + 1
        near = range(math.floor(centre) - reach, math.floor(centre) + reach + 1)
        weights = [keys((centre - j) * stretch) for j in near]
        values = [line[mirrored(j, len(line))] for j in near]
        out.append(sum((w * v for w, v in zip(weights, values, strict=True)), Fraction(0)) / sum(weights))
    return out


def resize_exactly(image: NDArray[np.int64], scale: Fraction) -> NDArray[np.float64]:
    rows = [resize_line([Fraction(int(v)) for v in row], scale) for row in image]
    columns = [resize_line(list(column), scale) for column in zip(*rows, strict=True)]
    return np.array([[float(v) for v in row] for row in zip(*columns, strict=True)])


@pytest.mark.parametrize("scale", SCALES, ids=str)
@pytest.mark.parametrize("shape", [(8, 8), (7, 5), (12, 6), (3, 10), (2, 1)], ids=str)
def test_agrees_with_exact_fractions(shape: tuple[int, int], scale: Fraction) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape)
    np.testing.assert_allclose(imresize(image.astype(np.float64), scale), resize_exactly(image, scale), atol=1e-11)


def test_enlarging_an_impulse_twofold() -> None:
    """Keys at 1/4, 3/4, 5/4 and 7/4 is 111, 29, -9 and -3 over 128."""
    impulse = np.zeros((1, 8))
    impulse[0, 4] = 1.0
    row = imresize(impulse, 2)[0] * 128
    np.testing.assert_allclose(row, [0, 0, 0, 0, 0, -3, -9, 29, 111, 111, 29, -9, -3, 0, 0, 0], atol=1e-12)


def test_halving_an_impulse() -> None:
    """Pixel 8 lies 3.5, 1.5, 0.5 and 2.5 pixels from outputs 2 to 5; stretched twofold: Keys at 7/4, 3/4, 1/4, 5/4."""
    impulse = np.zeros((1, 16))
    impulse[0, 8] = 1.0
    row = imresize(impulse, Fraction(1, 2))[0] * 256
    np.testing.assert_allclose(row, [0, 0, -3, 29, 111, -9, 0, 0], atol=1e-12)


def test_the_border_is_mirrored_with_the_edge_pixel_repeated() -> None:
    """Twofold, the first output pixel lies at -1/4 and sees 2 1 | 1 2 with weights -9, 29, 111, -3 over 128."""
    first = imresize(np.array([[1.0, 2.0, 5.0, 7.0]]), 2)[0, 0]
    assert first == pytest.approx((-9 * 2 + 29 * 1 + 111 * 1 - 3 * 2) / 128, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "expected"),
    [(0, 1), (0.25, 111 / 128), (0.75, 29 / 128), (1, 0), (1.25, -9 / 128), (1.5, -1 / 16), (2, 0), (3, 0)],
)
def test_kernel_values(x: float, expected: float) -> None:
    np.testing.assert_allclose(cubic(np.array([x, -x])), expected, atol=1e-15)


@pytest.mark.parametrize("scale", [*SCALES, 1.5, 0.7], ids=str)
def test_a_constant_image_stays_constant(scale: Fraction | float) -> None:
    np.testing.assert_allclose(imresize(np.full((9, 7), 0.3), scale), 0.3, atol=1e-14)


@pytest.mark.parametrize("length", [1, 2, 9, 10, 100])
@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_weights_sum_to_one_and_stay_inside(length: int, scale: Fraction) -> None:
    index, weight = bicubic_weights(length, scale)
    assert index.shape == weight.shape
    assert len(index) == math.ceil(length * scale)
    assert index.min() >= 0
    assert index.max() < length
    np.testing.assert_allclose(weight.sum(axis=1), 1, atol=1e-14)


@pytest.mark.parametrize(("height", "width"), [(9, 12), (10, 11), (1, 3)])
def test_the_output_has_ceil_size_times_scale(height: int, width: int) -> None:
    image = np.zeros((height, width, 3))
    assert imresize(image, Fraction(1, 3)).shape == (-(-height // 3), -(-width // 3), 3)
    assert imresize(image, 4).shape == (4 * height, 4 * width, 3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_float_scale_gives_the_image_of_its_fraction(scale: int) -> None:
    """1 / 3 in floating point would make four pixels of nine without care."""
    image = np.random.default_rng(2).random((9 * scale, 11 * scale + 1))
    np.testing.assert_array_equal(imresize(image, 1 / scale), imresize(image, Fraction(1, scale)))


def test_scale_one_changes_nothing() -> None:
    image = np.random.default_rng(3).random((5, 6))
    np.testing.assert_allclose(imresize(image, 1), image, atol=1e-15)


def test_channels_are_resized_one_by_one() -> None:
    image = np.random.default_rng(4).random((7, 8, 3))
    whole = imresize(image, Fraction(1, 3))
    for c in range(3):
        np.testing.assert_array_equal(whole[:, :, c], imresize(image[:, :, c], Fraction(1, 3)))


def test_nothing_is_clipped() -> None:
    step = np.repeat([[0.0, 1.0]], 4, axis=1).reshape(1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]]
    out = imresize(step, 2)
    assert out.min() < 0
    assert out.max() > 1


@pytest.mark.parametrize("scale", [0, -1, -0.5, math.nan, math.inf, 1e-5])
def test_refuses_a_scale_out_of_range(scale: float) -> None:
    with pytest.raises(ConfigError, match=f"scale: must lie between 0.001 and 1000, but got {scale}"):
        imresize(np.zeros((4, 4)), scale)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (4, 4, 3, 1)])
def test_refuses_what_is_not_an_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="image: must be 2-D or 3-D and not empty"):
        imresize(np.zeros(shape), 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_what_is_not_finite(value: float) -> None:
    image = np.zeros((8, 8))
    image[3, 4] = value
    with pytest.raises(DataError, match="image: every value must be finite"):
        imresize(image, 2)
