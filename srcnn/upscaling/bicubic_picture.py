"""Bicubic resizing of whole pictures to an exact size, with the protocol's arithmetic and little memory."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError
from srcnn.imaging.resize import bicubic_weights

__all__ = ["resize_picture"]

_T = TypeVar("_T", np.uint8, np.uint16, np.float32)

#: Rows of the result that are made at once.
_ROWS = 64


def resize_picture(picture: NDArray[_T], width: int, height: int) -> NDArray[_T]:
    """Resize a picture by `srcnn.imaging.resize.bicubic_weights`.

    Args:
        picture: uint8, uint16, or float32 of any range; (height, width) or (height, width, channels).
        width, height: of the result, at least 1.

    Returns:
        The same type; integers are rounded and clipped to their range.

    Raises:
        ConfigError: a side of the result is below 1.

    >>> resize_picture(np.array([[0, 0, 255, 255]], np.uint8), 8, 1).tolist()
    [[0, 0, 0, 52, 203, 255, 255, 255]]
    """
    if min(width, height) < 1:
        raise ConfigError(f"size: must be at least 1x1, but got {width}x{height}")
    rows, row_weights = bicubic_weights(picture.shape[0], Fraction(height, picture.shape[0]))
    columns, column_weights = bicubic_weights(picture.shape[1], Fraction(width, picture.shape[1]))
    channels = (1,) * (picture.ndim - 2)
    out = np.empty((height, width, *picture.shape[2:]), picture.dtype)
    for top in range(0, height, _ROWS):
        part = slice(top, min(top + _ROWS, height))
        tall = sum(
            row_weights[part, k].reshape(-1, 1, *channels) * picture[rows[part, k]] for k in range(rows.shape[1])
        )
        turned = np.ascontiguousarray(np.swapaxes(tall, 0, 1))
        wide = sum(column_weights[:, k].reshape(-1, 1, *channels) * turned[columns[:, k]] for k in range(columns.shape[1]))
        values = np.swapaxes(wide, 0, 1)
        if picture.dtype != np.float32:
            values = np.clip(np.floor(values + 0.5), 0, np.iinfo(picture.dtype).max)
        out[part] = values
    return out
