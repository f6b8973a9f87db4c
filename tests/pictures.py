"""Pictures that several tests draw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["photo"]


def photo(height: int = 31, width: int = 26, *, grey: bool = False) -> NDArray[np.uint8]:
    """Something smooth, with an edge and a little noise."""
    y, x = np.mgrid[:height, :width]
    plane = 100 + 60 * np.sin(y / 5) * np.cos(x / 7) + 40 * (x > y)
    rgb = plane[:, :, None] + np.array([0, 15, -20]) + np.random.default_rng(0).normal(0, 2, (height, width, 3))
    image = np.asarray(rgb.clip(0, 255), dtype=np.uint8)
    return image[:, :, 0] if grey else image
