"""PSNR and SSIM as the SRCNN papers measure them: on 8-bit values, after removing the border.

PSNR is in dB for a peak value of 255. SSIM follows Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", IEEE TIP
2004: an 11x11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, averaged over the valid region;
computed by scikit-image.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError

__all__ = ["psnr", "quantize", "shave", "ssim"]

Array = NDArray[Any]


def quantize(plane: Array) -> NDArray[np.float64]:
    """Convert values in [0, 1] to 8-bit levels 0..255 as float64, rounded (halves up, as in MATLAB) and clipped.

    >>> quantize(np.array([-0.1, 0.0, 0.5, 1.0, 1.2])).tolist()  # 0.5 is 127.5
    [0.0, 0.0, 128.0, 255.0, 255.0]
    """
    scaled = np.floor(np.asarray(plane, dtype=np.float64) * 255.0 + 0.5)
    return np.clip(scaled, 0.0, 255.0)


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


def psnr(a: Array, b: Array) -> float:
    """Return 20 log10(255 / RMSE), in dB, of two images of equal shape with values in [0, 255]; infinite if they are equal.

    >>> black, grey = np.zeros((4, 4)), np.full((4, 4), 25.5)  # a tenth of the peak apart
    >>> psnr(black, grey), psnr(grey, grey)
    (20.0, inf)
    """
    rmse = math.sqrt(float(np.mean((np.asarray(a, dtype=np.float64) - b) ** 2)))
    return math.inf if rmse == 0 else 20.0 * math.log10(255.0 / rmse)


def ssim(a: Array, b: Array) -> float:
    """Return the mean structural similarity of two (height, width) images with values in [0, 255] and sides of 11 pixels or more.

    Raises:
        DataError: a side is shorter than the window.
    """
    if min(a.shape) < 11:
        raise DataError(f"image of {a.shape[1]}x{a.shape[0]} pixels: SSIM needs at least 11 pixels a side")
    from skimage.metrics import structural_similarity  # takes half a second to import; only SSIM needs it

    value: float = structural_similarity(
        np.asarray(a, dtype=np.float64),
        np.asarray(b, dtype=np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    return float(value)
