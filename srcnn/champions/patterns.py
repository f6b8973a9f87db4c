"""Drawn patterns of full contrast, on which a network that ships must not fail.

The photographs by which a search chooses may have no place of full contrast, such as text or a grid. Some networks that are the
best on these photographs give outputs far outside the range of an image there. The patterns belong to no test set, so they may
decide whether a network ships.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN

__all__ = ["MOST_BEHIND", "leads", "patterns"]

#: How far a network may be behind bicubic on a pattern, in dB of PSNR. The networks with seven layers that shipped before were
#: 0.3 dB behind at most (x4, lines of 3 pixels); two networks that failed on photographs were 2.6 and 7.9 dB behind.
MOST_BEHIND = 1.0
_SIDE = 240  # pixels, divisible by the scales and by the sides of squares and lines


def patterns() -> list[tuple[str, NDArray[np.uint8]]]:
    """Return (name, image) pairs; the images are black and white, uint8 of shape (240, 240, 3), and always the same."""
    source = np.random.default_rng(0)
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    found: list[tuple[str, NDArray[Any]]] = [("noise", source.integers(0, 2, (_SIDE, _SIDE)))]
    for side in (3, 5, 8):
        squares = source.integers(0, 2, (_SIDE // side, _SIDE // side))
        found.append((f"squares of {side} pixels", np.kron(squares, np.ones((side, side)))))
    found.append(("lines of 3 pixels", columns // 3 % 2))
    centre = _SIDE / 2
    found.append(("rings", np.sin(((columns - centre) ** 2 + (rows - centre) ** 2) / 60) > 0))
    return [(name, np.repeat((255 * shape).astype(np.uint8)[..., None], 3, axis=2)) for name, shape in found]


def leads(network: SRCNN) -> dict[str, float]:
    """Return by pattern how far a network is ahead of bicubic, in dB of PSNR; negative: behind."""
    found = {}
    for name, image in patterns():
        degraded = degrade(image, network.config.scale, color=network.config.color, name=name)
        ours, plain = (score(one, degraded, with_ssim=False).psnr for one in (network, None))
        found[name] = ours - plain
    return found
