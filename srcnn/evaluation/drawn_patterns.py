"""Drawn patterns of full contrast, on which neither the winner of a search nor a network that ships may fail.

The photographs by which a search chooses may have no place of full contrast, such as text or a grid. Some networks that are the
best on these photographs give outputs far outside the range of an image there. The patterns belong to no test set, so they may
have a part in a choice. The limit is in `srcnn.evaluation.pattern_limit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.pattern_limit import LIMIT, NOT_MEASURABLE, behind_words, is_too_far_behind
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN

__all__ = ["failure", "leads", "patterns", "worst"]

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
    """Return by pattern how far a network is ahead of bicubic, in dB of PSNR; negative: behind.

    The planes are those of the network (`color`). The lead is `srcnn.evaluation.pattern_limit.NOT_MEASURABLE` where an output is
    not a number.
    """
    found = {}
    for name, image in patterns():
        degraded = degrade(image, network.config.scale, color=network.config.color, name=name)
        with np.errstate(all="ignore"):  # weights without bound give outputs without bound
            ours, plain = (score(one, degraded, with_ssim=False).psnr for one in (network, None))
        found[name] = NOT_MEASURABLE if math.isnan(ours) else ours - plain
    return found


def worst(found: Mapping[str, float]) -> tuple[str, float]:
    """Return the pattern on which a network is furthest behind bicubic, and its lead there in dB.

    Args:
        found: result of `leads`.
    """
    return min(found.items(), key=lambda one: one[1])


def failure(found: Mapping[str, float]) -> str:
    """Return a sentence, without a full stop, if a network fails on a pattern; empty if it does not.

    Args:
        found: result of `leads`.
    """
    pattern, lead = worst(found)
    if not is_too_far_behind(lead):
        return ""
    return (
        f"the network is {LIMIT} ({pattern}: {behind_words(lead)}): expect artefacts on text, line drawings and grids"
    )
