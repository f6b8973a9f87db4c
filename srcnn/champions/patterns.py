"""Drawn patterns of full contrast, on which a network that ships must not fail.

The photographs that a search chooses by need not hold places of the hardest contrast, such as text or grids. Some networks that
are the best on photographs amplify such places without bound: the outputs are then many times the range of an image. The patterns
are no image of any set, so what they say may decide whether a network ships.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN

__all__ = ["MOST_BEHIND", "leads", "patterns"]

#: dB that a network may be behind bicubic on a pattern. Sound networks are 0.3 dB behind at most, at x4 on lines that are gone.
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
