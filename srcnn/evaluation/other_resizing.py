"""Degradation of images as other software does it, to explain figures that the protocol does not give.

Each method shrinks 8-bit planes and enlarges them again. Keys' kernel (1981) has a = -0.5 in MATLAB and Pillow, and
a = -0.75 in OpenCV and torch. MATLAB and Pillow stretch the kernel when the image shrinks (antialiasing); OpenCV and torch,
by default, do not. OpenCV and torch repeat the edge pixel at the border, Pillow leaves out the taps outside the image,
and MATLAB mirrors them.

Where OpenCV is installed, its own `resize` is used; otherwise the same formula is computed here. OpenCV computes 8-bit
images with weights of 11 bits, so the two differ by one level in some pixels.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srcnn.imaging.metrics import quantize
from srcnn.imaging.resize import imresize

__all__ = ["METHODS", "cubic_resize", "shrink_and_enlarge"]

Planes = NDArray[np.float64]
Resize = Callable[[Planes, Fraction], Planes]


def cubic_resize(planes: Planes, scale: Fraction, a: float) -> Planes:
    """Resize by cubic convolution without antialiasing; pixels outside the image repeat its edge.

    Args:
        planes: (height, width, channels), real.
        scale: output size divided by input size; the output size must be whole.
        a: parameter of Keys' kernel: -0.5 as in MATLAB, -0.75 as in OpenCV and torch.

    Returns:
        (height * scale, width * scale, channels), not rounded, not clipped.
    """
    for axis in (0, 1):
        length = planes.shape[axis]
        centre = (np.arange(int(length * scale)) + 0.5) / float(scale) - 0.5
        first = np.floor(centre).astype(np.intp) - 1
        out = np.zeros(())
        for k in range(4):
            distance = np.abs(centre - first - k)
            near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
            far = a * (((distance - 5) * distance + 8) * distance - 4)
            weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
            taken = planes.take(np.clip(first + k, 0, length - 1), axis=axis)
            out = out + (weight[:, None, None] if axis == 0 else weight[None, :, None]) * taken
        planes = out
    return planes


def _rounded(resize: Resize) -> Resize:
    """Return a method that also rounds its result to 8 bits."""
    return lambda planes, scale: quantize(resize(planes, scale)) / 255.0


def _pillow(planes: Planes, scale: Fraction) -> Planes:
    size = int(planes.shape[1] * scale), int(planes.shape[0] * scale)
    levels = quantize(planes).astype(np.uint8)
    done = [Image.fromarray(levels[:, :, c]).resize(size, Image.Resampling.BICUBIC) for c in range(levels.shape[2])]
    return np.stack([np.asarray(plane) for plane in done], axis=2) / 255.0


def _opencv(planes: Planes, scale: Fraction) -> Planes:
    if importlib.util.find_spec("cv2") is None:
        return quantize(cubic_resize(planes, scale, -0.75)) / 255.0
    cv2: Any = importlib.import_module("cv2")
    size = int(planes.shape[1] * scale), int(planes.shape[0] * scale)
    levels = quantize(planes).astype(np.uint8)
    done = [
        cv2.resize(np.ascontiguousarray(levels[:, :, c]), size, interpolation=cv2.INTER_CUBIC)
        for c in range(levels.shape[2])
    ]
    return np.stack(done, axis=2) / 255.0


#: Methods by name. Planes are float64 in [0, 1]; every method takes and returns (height, width, channels).
METHODS: Mapping[str, Resize] = MappingProxyType(
    {
        "matlab": imresize,
        "matlab, 8 bits": _rounded(imresize),
        "no antialiasing": lambda planes, scale: cubic_resize(planes, scale, -0.5),
        "pillow": _pillow,
        "opencv": _opencv,
        "torch": lambda planes, scale: cubic_resize(planes, scale, -0.75),
    }
)


def shrink_and_enlarge(planes: Planes, scale: int, method: str) -> tuple[Planes, Planes]:
    """Return the planes at 1/scale of their size, and these enlarged to the full size again.

    Args:
        planes: (height, width, channels), float64 in [0, 1], with sides that are multiples of the scale.
        scale: the factor.
        method: a name of `METHODS`.
    """
    resize = METHODS[method]
    small = resize(planes, Fraction(1, scale))
    return small, resize(small, Fraction(scale))
