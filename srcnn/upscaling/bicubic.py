"""The bicubic of the protocol (`srcnn.imaging.resize`) for parts of an image: by an integer as a convolution, or to any size.

Enlarged by an integer s, output pixel (s i + p, s j + q) is a sum over the 5x5 pixels around (i, j) with weights that depend on
p and q alone. That is a convolution with s^2 outputs for each plane: RGB takes 4 to 6 ns a pixel of the result on one core.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srcnn.imaging.resize import bicubic_weights
from srcnn.model.fast_convolutions import rows
from srcnn.upscaling.tiles import Tile, convolve

__all__ = ["REACH", "enlarge_by_integer", "read_part", "resize_part"]

REACH = 2  #: pixels on each side that an output pixel depends on, when an image is enlarged by an integer


@lru_cache(maxsize=16)
def _kernel(scale: int, channels: int) -> Tensor:
    """The weights (scale * scale * channels, channels, 5, 5), channels last in memory."""
    length = 8 * REACH
    middle = length // 2
    taps = np.zeros((scale, 2 * REACH + 1))
    index, weight = bicubic_weights(length, Fraction(scale))
    for phase in range(scale):
        row = middle * scale + phase
        for at, value in zip(index[row], weight[row], strict=True):
            if value:
                taps[phase, at - middle + REACH] += value
    one = np.einsum("pi,qj->pqij", taps, taps)
    kernel = np.zeros((scale, scale, channels, channels, 2 * REACH + 1, 2 * REACH + 1), np.float32)
    for channel in range(channels):
        kernel[:, :, channel, channel] = one
    return rows(torch.from_numpy(kernel.reshape(-1, *kernel.shape[3:])))


def enlarge_by_integer(x: Tensor, scale: int) -> Tensor:
    """Enlarge float32 (1, rows, columns, channels) that has `REACH` pixels of context on each side.

    Returns:
        (1, rows - 4, columns - 4, scale * scale * channels): for each small pixel its large ones, ordered (row, column, channel).
    """
    return convolve(x, _kernel(scale, x.shape[-1]))


def _mirrored(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Indices ``start`` to ``stop``, continued beyond the image by mirror symmetry with the edge pixel repeated."""
    index = np.arange(start, stop) % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def read_part(image: NDArray[Any], part: Tile, margin: int) -> Tensor:
    """A tile of an image with ``margin`` pixels around it, mirrored where the image ends: float32 (1, rows, columns, channels).

    The image is (height, width) or (height, width, channels), of any real type; its values are not scaled.
    """
    height, width = image.shape[:2]
    top, bottom, left, right = part.top - margin, part.bottom + margin, part.left - margin, part.right + margin
    if top >= 0 and left >= 0 and bottom <= height and right <= width:
        cut = image[top:bottom, left:right]
    else:
        cut = image[np.ix_(_mirrored(top, bottom, height), _mirrored(left, right, width))]
    levels = np.ascontiguousarray(cut, dtype=np.float32)
    return torch.from_numpy(levels).view(1, bottom - top, right - left, -1)


def resize_part(
    image: NDArray[Any],
    height: int,
    width: int,
    part: Tile,
    prepare: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda values: values,
) -> NDArray[np.float64]:
    """Return one tile of an image resized to any size by bicubic weights; antialiased where it shrinks.

    Args:
        image: (height, width) or (height, width, channels), any real type.
        height: of the whole result, in pixels.
        width: of the whole result.
        part: the tile of the result to compute.
        prepare: applied to the pixels that the tile depends on before they are resized.

    Returns:
        real numbers, not rounded or clipped: bit for bit those of `srcnn.imaging.resize.imresize`.
    """
    index, weight = _taps(image.shape[0], height, part.top, part.bottom)
    across, share = _taps(image.shape[1], width, part.left, part.right)
    top, left = int(index.min()), int(across.min())
    cut = prepare(np.asarray(image[top : int(index.max()) + 1, left : int(across.max()) + 1], dtype=np.float64))
    down = _weighted(cut, index - top, weight)
    swapped = _weighted(np.ascontiguousarray(down.swapaxes(0, 1)), across - left, share)
    return swapped.swapaxes(0, 1)


def _taps(length: int, wanted: int, start: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    index, weight = bicubic_weights(length, Fraction(wanted, length))
    return index[start:stop], weight[start:stop]


def _weighted(image: NDArray[np.float64], index: NDArray[np.intp], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    shape = (-1,) + (1,) * (image.ndim - 1)
    out: NDArray[np.float64] = weight[:, 0].reshape(shape) * image[index[:, 0]]
    for k in range(1, index.shape[1]):
        out += weight[:, k].reshape(shape) * image[index[:, k]]
    return out
