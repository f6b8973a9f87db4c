"""PSNR and SSIM against their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from srcnn.errors import ConfigError, DataError
from srcnn.imaging.metrics import decibels, psnr, quantize, shave, ssim


def ssim_by_definition(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Wang et al. 2004, equation 13 and section III-C, window by window."""
    offset = np.arange(11) - 5.0
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


@pytest.mark.parametrize(
    ("error", "decibels"), [(1, 48.1308036087), (2, 42.1102036954), (255, 0.0), (25.5, 20.0), (0.255, 60.0)]
)
def test_psnr_of_a_constant_error(error: float, decibels: float) -> None:
    assert psnr(np.zeros((4, 5)), np.full((4, 5), error)) == pytest.approx(decibels, abs=1e-9)


def test_psnr_comes_from_the_mean_squared_error() -> None:
    a = np.zeros((2, 2, 3))
    a[0, 0] = (3, 4, 12)  # mse = 169 / 12
    assert psnr(a, np.zeros((2, 2, 3))) == pytest.approx(10 * math.log10(255**2 * 12 / 169), abs=1e-12)


def test_psnr_of_unsigned_bytes_does_not_wrap_around() -> None:
    assert psnr(np.array([[0]], dtype=np.uint8), np.array([[255]], dtype=np.uint8)) == 0.0


def test_psnr_of_equal_images_is_infinite() -> None:
    assert psnr(np.full((3, 3), 7.0), np.full((3, 3), 7.0)) == math.inf


def test_quantize_rounds_halves_up_and_clips() -> None:
    assert 0.3 * 255.0 == 76.5  # a tie whose even neighbour lies below
    values = np.array([-0.2, 0.0, 0.4999 / 255, 1.5001 / 255, 0.3, 0.5, 254.6 / 255, 1.0, 1.7])
    np.testing.assert_array_equal(quantize(values), [0, 0, 0, 2, 77, 128, 255, 255, 255])


def test_quantize_keeps_every_level() -> None:
    levels = np.arange(256, dtype=np.float32)
    np.testing.assert_array_equal(quantize(levels / np.float32(255)), levels)
    np.testing.assert_array_equal(quantize(np.append(levels / 255, np.nan), np.float32), [*levels, np.nan])


def test_shave_takes_every_side() -> None:
    image = np.arange(63).reshape(7, 9)
    np.testing.assert_array_equal(shave(image, 2), [[20, 21, 22, 23, 24], [29, 30, 31, 32, 33], [38, 39, 40, 41, 42]])
    assert shave(np.zeros((7, 9, 3)), 3).shape == (1, 3, 3)
    assert shave(image, 0).shape == (7, 9)


@pytest.mark.parametrize(("shape", "border"), [((6, 9), 3), ((9, 6), 3), ((2, 2), 2)])
def test_shave_refuses_to_leave_nothing(shape: tuple[int, int], border: int) -> None:
    with pytest.raises(DataError, match=rf"{shape[1]}x{shape[0]}.*shaving {border}"):
        shave(np.zeros(shape), border)


def test_ssim_of_equal_images_is_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 17)).astype(float)
    assert ssim(image, image) == pytest.approx(1.0, abs=1e-12)


def test_ssim_agrees_with_its_definition() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, (16, 14)).astype(float)
    b = np.clip(a + rng.normal(0, 40, a.shape), 0, 255).round()
    assert ssim(a, b) == pytest.approx(ssim_by_definition(a, b), abs=1e-10)
    assert ssim(a, b) < 0.95


@pytest.mark.parametrize("shape", [(61, 40), (12, 300), (300, 11), (101, 90)])
def test_ssim_by_tiles_is_to_the_last_bit_that_of_the_whole_image(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(0, 256, shape).astype(np.float32)
    b = np.clip(a + rng.normal(0, 20, shape), 0, 255).round()
    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    whole = structural_similarity(a.astype(np.float64), b, data_range=255, **settings)
    for tile in (400, 1500, 10**9):
        monkeypatch.setattr("srcnn.imaging.metrics._TILE", tile)
        assert ssim(a, b) == whole


def test_an_error_that_overflows_is_not_called_equal() -> None:
    huge = np.full((3, 3), 1e200)
    assert psnr(huge, -huge) == decibels(math.inf) == -math.inf
    assert math.isnan(decibels(math.nan))
    assert decibels(5e-324) < decibels(0.0) == math.inf


def test_ssim_of_two_constants_is_the_luminance_term() -> None:
    c1 = 2.55**2
    expected = (2 * 100 * 110 + c1) / (100**2 + 110**2 + c1)
    assert ssim(np.full((11, 11), 100.0), np.full((11, 11), 110.0)) == pytest.approx(expected, abs=1e-9)


def test_ssim_refuses_less_than_its_window() -> None:
    with pytest.raises(DataError, match="11 pixels a side"):
        ssim(np.zeros((10, 30)), np.zeros((10, 30)))


def test_a_negative_border_is_refused() -> None:
    with pytest.raises(ConfigError, match="border: must be at least 0, but got -1"):
        shave(np.zeros((9, 9)), -1)
