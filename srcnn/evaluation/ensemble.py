"""The ensemble over the eight symmetries of the square at test: the mean of eight reconstructions of one image.

Rotating or mirroring an image and enlarging it are interchangeable for the protocol's bicubic, but not for a network. The
network is applied to the eight versions of its input, each result is turned back, and the mean of the eight is the result:
Timofte, Rothe and Van Gool, "Seven Ways to Improve Example-Based Single Image Super Resolution", CVPR 2016, section 3.5
(enhanced prediction); the networks named with a "+" in Lim et al. (EDSR), CVPR Workshops 2017, section 3.3 (self-ensemble).

It takes eight times as long, so its figures are not comparable with those of the network alone, and are always named as
`ENSEMBLE` says. It is never used for choosing: training and searches do not know it.

The mean is taken in float32 on values that are neither rounded nor clipped nor shaved, before steps 5 and 6 of the protocol. A
mean of eight rounded images would have values between the 8-bit levels, and would have to be rounded a second time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENSEMBLE", "SYMMETRIES", "mean_over_symmetries", "turn", "turn_back"]

SYMMETRIES = range(8)  #: numbers of the symmetries; 0 is the identity
ENSEMBLE = "ensemble of 8"  #: name of figures that were measured with the ensemble

Planes = NDArray[np.float32]


def turn(image: Planes, symmetry: int) -> Planes:
    """Return an image (height, width, channels) after one symmetry, a view.

    It is transposed if ``symmetry`` is 4 or more, then rotated by 90 degrees ``symmetry % 4`` times.
    """
    return np.rot90(image.swapaxes(0, 1) if symmetry >= 4 else image, symmetry % 4)


def turn_back(image: Planes, symmetry: int) -> Planes:
    """Return the image that `turn` has turned by the same symmetry."""
    upright = np.rot90(image, -(symmetry % 4))
    return upright.swapaxes(0, 1) if symmetry >= 4 else upright


def mean_over_symmetries(enlarge: Callable[[Planes, Planes], Planes], small: Planes, bicubic: Planes) -> Planes:
    """Return the mean of the eight results of a function that enlarges, float32 (height, width, channels).

    Args:
        enlarge: takes the small and the bicubic image, and returns an image of the size of the bicubic one.
        small: the small image.
        bicubic: the small image after bicubic upscaling.
    """
    total = np.zeros(bicubic.shape, np.float32)
    for symmetry in SYMMETRIES:
        total += turn_back(enlarge(turn(small, symmetry), turn(bicubic, symmetry)), symmetry)
    return total / np.float32(len(SYMMETRIES))
