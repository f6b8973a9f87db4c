"""BT.601 colour conversion between RGB and YCbCr, as MATLAB's ``rgb2ycbcr`` and ``ycbcr2rgb`` do it on 8-bit images.

Y lies in [16, 235], Cb and Cr in [16, 240]. Coefficients: ITU-R BT.601, for R, G, B in [0, 1]:
``Y = 16 + 65.481 R + 128.553 G + 24.966 B``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["BT601", "OFFSET", "luma", "rgb_to_ycbcr", "ycbcr_to_rgb"]

#: YCbCr, 0 to 255, of black, and the matrix from R, G, B in [0, 1] to the difference from it, one row for each plane.
OFFSET = np.array([16.0, 128.0, 128.0])
BT601 = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])
_INVERSE = np.linalg.inv(BT601)
_PART = 1 << 18  # values that are converted at a time


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round as MATLAB does: halves away from zero. The values here are positive."""
    rounded: NDArray[np.float64] = np.floor(values + 0.5)
    return rounded


def _parts(image: NDArray[np.uint8]) -> Iterator[slice]:
    """Return slices of rows of about `_PART` values: the planes of a whole photo as float64 would take gigabytes."""
    step = max(1, _PART * len(image) // max(image.size, 1))
    return (slice(start, start + step) for start in range(0, len(image), step))


def rgb_to_ycbcr(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert RGB (height, width, 3), uint8 0..255, to YCbCr, uint8, rounded per plane."""
    ycbcr = np.empty(rgb.shape, np.uint8)
    for part in _parts(rgb):
        ycbcr[part] = _round(rgb[part].astype(np.float64) / 255.0 @ BT601.T + OFFSET)
    return ycbcr


def luma(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the Y plane of an image, (height, width) uint8.

    A grey image (height, width) is returned unchanged. An RGB image (height, width, 3) gives the rounded BT.601 luma.
    """
    if image.ndim == 2:
        return image
    y = np.empty(image.shape[:2], np.uint8)
    for part in _parts(image):
        y[part] = _round(image[part].astype(np.float64) / 255.0 @ BT601[0] + OFFSET[0])
    return y


def ycbcr_to_rgb(ycbcr: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert YCbCr (height, width, 3), 0..255, any real type, to RGB, uint8, rounded and clipped."""
    rgb = (np.asarray(ycbcr, dtype=np.float64) - OFFSET) @ _INVERSE.T * 255.0
    return np.clip(_round(rgb), 0, 255).astype(np.uint8)
