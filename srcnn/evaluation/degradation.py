"""Degradation of images as in the papers: downscaling and upscaling (`degrade`)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import DataError
from srcnn.imaging.color import luma, rgb_to_ycbcr
from srcnn.imaging.image_files import modcrop
from srcnn.imaging.resize import imresize

__all__ = ["Degraded", "degrade", "planes"]

_UNIT = (np.arange(256) / 255.0).astype(np.float32)  # the values of 8-bit levels


@dataclass(frozen=True)
class Degraded:
    """One degraded image: float32 planes (height, width, channels) with values of about [0, 1]."""

    name: str
    small: NDArray[np.float32]
    bicubic: NDArray[np.float32]
    target: NDArray[np.float32]  #: the 8-bit original divided by 255; side lengths divisible by the scale
    scale: int


def planes(image: NDArray[np.uint8], color: str = "y") -> NDArray[np.uint8]:
    """Return the planes of a uint8 image that a network works on: (height, width, 1) for y, otherwise (height, width, 3).

    A grey image is treated as R = G = B.
    """
    if color == "y":
        return luma(image)[:, :, None]
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    return rgb if color == "rgb" else rgb_to_ycbcr(rgb)


def degrade(image: NDArray[np.uint8], scale: int, *, color: str = "y", name: str = "") -> Degraded:
    """Crop an 8-bit image with `modcrop`, then downscale and upscale its planes with MATLAB's bicubic, without rounding.

    Raises:
        ConfigError: ``scale`` is below 1.
        DataError: the image is not of type uint8, or a side is shorter than ``scale``.
    """
    if image.dtype != np.uint8:
        raise DataError(f"{name or 'image'}: must have 8-bit values (uint8), but got {image.dtype}")
    original = planes(modcrop(image, scale), color)
    if original.size == 0:
        raise DataError(f"{name}: {image.shape[1]}x{image.shape[0]} pixels are too few for scale {scale}")
    small = imresize(original / 255.0, Fraction(1, scale))
    bicubic = imresize(small, scale).astype(np.float32)  # at once: of a whole photo each plane is hundreds of megabytes
    return Degraded(name, small.astype(np.float32), bicubic, _UNIT[original], scale)
