"""The gain of a configuration against the pixels that it was trained with, and what more of them would bring.

Two laws are fitted, which enclose what is plausible. A straight line against the logarithm of the pixels through the last two
budgets has no bound. A power law, gain = limit - b * pixels^-c, as in Hestness et al., "Deep Learning Scaling is Predictable,
Empirically", 2017, has one. Both are tried on a budget that is known: fitted to the budgets before the last, they predict it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["learning_curve", "line", "power_law"]

Law = Callable[[float], float]

_FURTHER = (3, 10, 100, 1000)  # multiples of the last budget
_EXPONENTS = np.geomspace(0.05, 3.0, 400)


def line(points: Sequence[tuple[float, float]]) -> Law:
    """Return the straight line against log pixels through the last two (pixels, gain)."""
    (first, low), (second, high) = points[-2:]
    slope = (high - low) / math.log(second / first)
    return lambda pixels: high + slope * math.log(pixels / second)


def power_law(points: Sequence[tuple[float, float]]) -> Law:
    """Return gain = limit - b * pixels^-c with the least squared error on at least three (pixels, gain); c is at least 0.05."""
    pixels, gains = np.array(points).T
    scaled = pixels / pixels[-1]
    best: tuple[float, float, float, float] | None = None
    for exponent in _EXPONENTS:
        columns = np.stack([np.ones_like(scaled), scaled**-exponent], axis=1)
        (limit, b), *_ = np.linalg.lstsq(columns, gains, rcond=None)
        error = float(np.square(columns @ (limit, b) - gains).sum())
        if best is None or error < best[0]:
            best = error, float(limit), float(b), float(exponent)
    assert best is not None
    _, limit, b, exponent = best
    return lambda at: limit + b * (at / float(pixels[-1])) ** -exponent


def learning_curve(points: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """Return what both laws say; None with fewer than four budgets.

    Args:
        points: (pixels, gain in dB) with growing pixels.

    Returns:
        ``per_tripling``: gain of the last budget over the one before in dB, for each threefold budget; ``last``: the last gain,
        and what each law says of it from the budgets before alone; ``further``: (pixels, line, power law) for larger budgets.
    """
    if len(points) < 4:
        return None
    last, gain = points[-1]
    straight, power = line(points), power_law(points)
    return {
        "per_tripling": straight(3 * last) - gain,
        "last": {"gain": gain, "line": line(points[:-1])(last), "power_law": power_law(points[:-1])(last)},
        "further": [[factor * last, straight(factor * last), power(factor * last)] for factor in _FURTHER],
    }
