"""Bicubic resizing with the arithmetic of MATLAB's ``imresize(image, scale, 'bicubic')``.

The SRCNN papers degrade their images with this function, so every result depends on it. The rules are taken from its
documentation and from R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981:

* the cubic kernel with a = -0.5;
* when the image shrinks, the kernel is stretched by 1/scale (antialiasing);
* the weights of each output pixel are divided by their sum;
* the border is extended by mirror symmetry with the edge pixel repeated (1 2 3 -> 3 2 1 1 2 3 3 2 1);
* the output has ``ceil(size * scale)`` rows and columns.

Pillow and torch use the same kernel but renormalize the weights at the border instead of mirroring. OpenCV does not
antialias. Nothing here rounds or clips: input and output are real numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError

__all__ = ["bicubic_weights", "cubic", "imresize", "resized"]

Scale = int | float | Fraction

_PART = 1 << 18  # values that are computed at a time, 2 MiB


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel of Keys (1981) with a = -0.5; zero outside [-2, 2]."""
    a = np.abs(x)
    near = (1.5 * a - 2.5) * a * a + 1.0
    far = ((-0.5 * a + 2.5) * a - 4.0) * a + 2.0
    return np.where(a <= 1, near, np.where(a <= 2, far, 0.0))


@lru_cache(maxsize=256)
def bicubic_weights(length: int, scale: Fraction) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the taps for resizing one axis.

    Args:
        length: number of input pixels along the axis, at least 1.
        scale: output size divided by input size, positive.

    Returns:
        ``(index, weight)``, both of shape (output length, taps): output pixel ``i`` is
        ``sum_k weight[i, k] * input[index[i, k]]``, and each row of weights sums to one.
    """
    ratio = float(scale)
    out = math.ceil(length * scale)
    stretch = min(ratio, 1.0)  # below 1 the kernel widens: antialiasing
    width = 4.0 / stretch
    taps = math.ceil(width) + 2
    # Pixel centres: output pixel i (from 0) lies at input coordinate (i + 0.5) / scale - 0.5.
    centre = (np.arange(out, dtype=np.float64) + 0.5) / ratio - 0.5
    first = np.floor(centre - width / 2).astype(np.intp)
    index = first[:, None] + np.arange(taps)
    weight = cubic((centre[:, None] - index) * stretch)
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.any(weight != 0, axis=0)
    index, weight = index[:, used], weight[:, used]
    mirrored = index % (2 * length)
    mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    mirrored.flags.writeable = weight.flags.writeable = False
    return mirrored, weight


def _resize_rows(image: NDArray[np.float64], scale: Fraction) -> NDArray[np.float64]:
    """Resize the first axis, a few rows at a time: the terms of the sums then take no memory of the size of the result."""
    index, weight = bicubic_weights(image.shape[0], scale)
    weight = weight.reshape(*weight.shape, *(1,) * (image.ndim - 1))
    out = np.empty((len(index), *image.shape[1:]))
    for part in _parts(out):
        np.multiply(weight[part, 0], image[index[part, 0]], out=out[part])
        for k in range(1, index.shape[1]):
            out[part] += weight[part, k] * image[index[part, k]]
    return out


def _resize_columns(image: NDArray[np.float64], scale: Fraction) -> NDArray[np.float64]:
    """Resize the second axis."""
    height, width = image.shape[:2]
    out = np.empty((height, len(bicubic_weights(width, scale)[0]), *image.shape[2:]))
    for part in _parts(out):
        # The same code on the transposed image: indexing contiguous rows is several times faster.
        out[part] = _resize_rows(np.ascontiguousarray(image[part].swapaxes(0, 1)), scale).swapaxes(0, 1)
    return out


def _parts(array: NDArray[np.float64]) -> Iterator[slice]:
    """Return slices of the first axis that have about `_PART` values each."""
    step = max(1, _PART * len(array) // max(array.size, 1))
    return (slice(start, start + step) for start in range(0, len(array), step))


def _exact(scale: Scale) -> Fraction:
    """Return the nearest small fraction: a float such as 1/3 is not exact, 9 * (1/3) may exceed 3, and its ceil is then 4."""
    return Fraction(scale).limit_denominator(10_000)


def resized(size: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """Return the height and width of the result of `imresize`, without computing it.

    >>> resized((256, 255), 1 / 3)
    (86, 85)
    """
    exact = _exact(scale)
    return math.ceil(size[0] * exact), math.ceil(size[1] * exact)


def imresize(image: NDArray[np.floating], scale: Scale) -> NDArray[np.float64]:
    """Resize an image as MATLAB does.

    Args:
        image: (height, width) or (height, width, channels), real, any range.
        scale: factor from 0.001 to 1000. ``Fraction(1, 3)`` and ``1 / 3`` give the same result.

    Returns:
        float64, (ceil(height * scale), ceil(width * scale)) with the same channels; not rounded, not clipped.

    Raises:
        ConfigError: the scale is out of range, or the image is empty or not 2-D or 3-D.
        DataError: a value is NaN or infinite.

    A quarter of a pixel from the 0, towards the 1, lies k(0.75) + k(1.75) = 0.2266 - 0.0234 of the kernel k. The step overshoots:

    >>> imresize(np.array([[0.0, 0.0, 1.0, 1.0]]), 2)[0].round(4).tolist()
    [0.0, -0.0234, -0.0703, 0.2031, 0.7969, 1.0703, 1.0234, 1.0]
    >>> imresize(np.zeros((256, 255)), Fraction(1, 3)).shape
    (86, 85)
    """
    if not 1e-3 <= scale <= 1e3:
        raise ConfigError(f"scale: must lie between 0.001 and 1000, but got {scale}")
    if image.ndim not in (2, 3) or image.size == 0:
        raise ConfigError(f"image: must be 2-D or 3-D and not empty, but got shape {image.shape}")
    if not np.isfinite(image).all():
        raise DataError("image: every value must be finite, but one is NaN or infinite")
    exact = _exact(scale)
    return _resize_columns(_resize_rows(np.asarray(image, dtype=np.float64), exact), exact)
