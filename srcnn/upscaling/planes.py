"""From the channels of a photo to the planes of a network and back: affine maps, applied to a tile as 1x1 convolutions.

Bicubic resizing commutes with an affine map of the colours, so the bicubic of Cb and Cr need not be computed: the enlarged photo
is its own bicubic plus the network's change of Y, carried over to R, G and B. That is exact, and Cb and Cr are never rounded.
BT.601 as in `srcnn.imaging.color`; a grey photo is its own Y, as in the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srcnn.config.architecture import ModelConfig
from srcnn.imaging.color import BT601, OFFSET
from srcnn.model.fast_convolutions import rows
from srcnn.upscaling.tiles import convolve

__all__ = ["PlaneMap", "plane_map"]

_TO_YCBCR = BT601 / 255.0
_AT_BLACK = OFFSET / 255.0
_TO_RGB: NDArray[np.float64] = np.linalg.inv(_TO_YCBCR).astype(np.float64)
_GREY = _TO_YCBCR[:1] / _TO_YCBCR[0].sum()  # the share of R, G and B in the grey of a colour


@dataclass(frozen=True)
class PlaneMap:
    """How the tiles of one kind of photo go into one network and come back. Levels are the photo's own, 0 to ``peak``."""

    into: Tensor  #: weights of levels in the network's planes, whose values are in [0, 1]
    offset: Tensor
    back: Tensor  #: weights of the network's outputs, in the order of its last layer, in the large pixels' levels
    keep: Tensor | None  #: weights of the bicubic image in the result; None: all of it as it is
    bias: Tensor  #: what is added to the result

    def planes(self, levels: Tensor) -> Tensor:
        """The network's planes of a tile (1, rows, columns, channels)."""
        return convolve(levels, self.into, self.offset)

    def combine(self, outputs: Tensor, bicubic: Tensor) -> Tensor:
        """The enlarged tile (1, rows, columns, scale * scale * channels) of the network's outputs and the bicubic image."""
        result = convolve(outputs, self.back, self.bias)
        return result.add_(bicubic if self.keep is None else convolve(bicubic, self.keep))


@lru_cache(maxsize=64)
def plane_map(config: ModelConfig, channels: int, peak: float) -> PlaneMap:
    """Return the map for photos with 1 or 3 channels.

    The result of a network that adds to the bicubic image, or leaves Cb and Cr to it, is the bicubic image plus a change.
    """
    into, offset, back, bias = _affine(config.color, channels)
    into, back, bias = into / peak, back * peak, bias * peak
    count = config.scale**2
    keep: NDArray[np.float64] | None = None
    if config.residual:
        bias = np.zeros(channels)
    elif config.color == "y" and channels == 3:  # bicubic, and the network's Y in the place of its own
        keep = np.asarray(np.eye(3) - back @ into, dtype=np.float64)
        bias = -(back @ offset)
    else:
        keep = np.zeros((channels, channels))
    planes = config.channels
    outputs = np.zeros((count, channels, planes, count))  # the last layer's channels are (plane, row, column)
    for at in range(count):
        outputs[at, :, :, at] = back
    return PlaneMap(
        _kernel(into),
        torch.tensor(offset, dtype=torch.float32),
        _kernel(outputs.reshape(count * channels, planes * count)),
        None if keep is None else _kernel(np.kron(np.eye(count), keep)),
        torch.tensor(np.tile(bias, count), dtype=torch.float32),
    )


def _affine(
    color: str, channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (into, offset, back, bias): planes = into @ x + offset, and x = back @ planes + bias, for x in [0, 1]."""
    if color == "y":
        if channels == 1:
            return np.eye(1), np.zeros(1), np.eye(1), np.zeros(1)
        back = _TO_RGB[:, :1]
        return _TO_YCBCR[:1], _AT_BLACK[:1], back, np.zeros(3)
    if color == "rgb":
        into, offset, back, bias = np.eye(3), np.zeros(3), np.eye(3), np.zeros(3)
    else:
        into, offset, back, bias = _TO_YCBCR, _AT_BLACK, _TO_RGB, -(_TO_RGB @ _AT_BLACK)
    if channels == 3:
        return into, offset, back, bias
    return into.sum(axis=1, keepdims=True), offset, _GREY @ back, _GREY @ bias


def _kernel(matrix: NDArray[np.floating]) -> Tensor:
    return rows(torch.tensor(matrix, dtype=torch.float32)[:, :, None, None])
