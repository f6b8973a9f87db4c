"""PSNR and SSIM as the SRCNN papers measure them: on 8-bit values, after removing the border.

PSNR is in dB for a peak value of 255. SSIM follows Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", IEEE TIP
2004: an 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, averaged over the valid region;
computed by scikit-image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError

__all__ = ["decibels", "psnr", "quantize", "shave", "ssim"]

Array = NDArray[Any]

_PART = 1 << 18  # values that are rounded at a time
_RADIUS = 5  # of the window of SSIM, in pixels
_WINDOW = 2 * _RADIUS + 1
_TILE = 1 << 19  # pixels whose SSIM is computed at a time, which takes about 80 MB


def quantize(plane: Array, dtype: type[np.float32] | type[np.float64] = np.float64) -> Array:
    """Convert values in [0, 1] to 8-bit levels 0..255, rounded (halves up, as in MATLAB) and clipped. NaN stays NaN.

    Args:
        plane: values of any shape and real type.
        dtype: type of the result. Both types hold the levels exactly; float32 takes half the memory.

    >>> quantize(np.array([-0.1, 0.0, 0.5, 1.0, 1.2])).tolist()  # 0.5 is 127.5
    [0.0, 0.0, 128.0, 255.0, 255.0]
    """
    plane = np.atleast_1d(plane)
    levels = np.empty_like(plane, dtype=dtype)
    rows = max(1, _PART * len(plane) // max(plane.size, 1))
    for start in range(0, len(plane), rows):
        part = slice(start, start + rows)
        levels[part] = np.clip(np.floor(plane[part].astype(np.float64) * 255.0 + 0.5), 0.0, 255.0)
    return levels


def shave(image: Array, border: int) -> Array:
    """Remove ``border`` pixels, 0 or more, from every side of a (height, width[, channels]) image.

    Raises:
        ConfigError: ``border`` is negative.
        DataError: nothing would remain.
    """
    if border < 0:
        raise ConfigError(f"border: must be at least 0, but got {border}")
    height, width = image.shape[:2]
    if min(height, width) <= 2 * border:
        raise DataError(f"image of {width}x{height} pixels: nothing remains after shaving {border} from every side")
    return image[border : height - border, border : width - border]


def decibels(mse: float) -> float:
    """Return the PSNR, in dB, of a mean squared error on levels 0..255, which is 20 log10(255 / RMSE).

    It is infinite only for an error of 0, -infinite for an infinite error, such as one that has overflowed, and NaN for NaN.

    >>> decibels(0.0), decibels(math.inf)
    (inf, -inf)
    """
    if mse == 0:
        return math.inf
    return -math.inf if mse == math.inf else 20.0 * math.log10(255.0 / math.sqrt(mse))


def psnr(a: Array, b: Array) -> float:
    """Return 20 log10(255 / RMSE), in dB, of two images of equal shape with values in [0, 255]; infinite if they are equal.

    >>> black, grey = np.zeros((4, 4)), np.full((4, 4), 25.5)  # a tenth of the peak apart
    >>> psnr(black, grey), psnr(grey, grey)
    (20.0, inf)
    """
    with np.errstate(over="ignore"):  # the error is then infinite
        errors = np.subtract(a, b, dtype=np.float64)
        np.multiply(errors, errors, out=errors)
    return decibels(float(np.mean(errors)))


def ssim(a: Array, b: Array) -> float:
    """Return the mean structural similarity of two (height, width) images with values in [0, 255] and sides of 11 pixels or more.

    It is computed tile by tile, because scikit-image holds about twenty planes of float64; the map of a large image and its mean
    are to the last bit those of the whole image at once.

    Raises:
        DataError: a side is shorter than the window.
    """
    height, width = a.shape
    if min(height, width) < _WINDOW:
        raise DataError(f"image of {width}x{height} pixels: SSIM needs at least {_WINDOW} pixels a side")
    # Of the size of the image, as scikit-image's map: how numpy groups the terms of a mean depends on the layout.
    similarity = np.empty((height, width))
    for rows, columns in _tiles(height - 2 * _RADIUS, width - 2 * _RADIUS):
        inside = (
            slice(rows.start + _RADIUS, rows.stop + _RADIUS),
            slice(columns.start + _RADIUS, columns.stop + _RADIUS),
        )
        around = (slice(rows.start, rows.stop + 2 * _RADIUS), slice(columns.start, columns.stop + 2 * _RADIUS))
        similarity[inside] = _similarity(a[around], b[around])[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    return float(similarity[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS].mean())


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Return the rows and columns of tiles that cover an area, each of about `_TILE` pixels; first along a row."""
    columns = min(width, _TILE // _WINDOW)
    rows = max(1, _TILE // columns)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield slice(top, min(top + rows, height)), slice(left, min(left + columns, width))


def _similarity(a: Array, b: Array) -> NDArray[np.float64]:
    """Return the map of SSIM; it is right where the window lies within the image."""
    from skimage.metrics import structural_similarity  # takes half a second to import; only SSIM needs it

    found: NDArray[np.float64] = structural_similarity(
        np.asarray(a, dtype=np.float64),
        np.asarray(b, dtype=np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )[1]
    return found
