"""Means with intervals: the bootstrap over seeds and images.

A PSNR of a configuration varies with the seed it was trained from and with the images it is measured on, so both are drawn
again, each with replacement (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 8 and 13). A
comparison draws the same images for both sides, and the same seeds where the two were trained from the same ones: what makes
an image hard then cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

__all__ = ["Interval", "bootstrap", "bootstrap_difference", "student"]

_DRAWS = 10_000
_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it that holds 95 of 100 bootstrap means."""

    mean: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is positive."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def signed(self) -> str:
        """With signs, for a difference."""
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def _weights(generator: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(draws, count): how often each was drawn, as a share."""
    return generator.multinomial(count, np.full(count, 1 / count), size=_DRAWS) / count


def _interval(mean: float, draws: NDArray[np.float64]) -> Interval:
    tail = 50 * (1 - _LEVEL)
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Interval(float(mean), float(low), float(high))


def bootstrap(values: NDArray[np.float64], seed: int = 0) -> Interval:
    """The mean of (seeds, images) values."""
    generator = np.random.default_rng(seed)
    seeds, images = (_weights(generator, size) for size in values.shape)
    return _interval(values.mean(), np.einsum("ds,si,di->d", seeds, values, images))


def bootstrap_difference(
    a: NDArray[np.float64], b: NDArray[np.float64], *, paired_seeds: bool = True, seed: int = 0
) -> Interval:
    """The mean of ``a - b``, both (seeds, images) of the same images.

    Args:
        a: of one configuration.
        b: of the other.
        paired_seeds: whether row i of both was trained from the same seed; else they may have different numbers of rows.
        seed: of the bootstrap.
    """
    generator = np.random.default_rng(seed)
    images = _weights(generator, a.shape[1])
    mine = _weights(generator, len(a))
    theirs = mine if paired_seeds else _weights(generator, len(b))
    draws = np.einsum("ds,si,di->d", mine, a, images) - np.einsum("ds,si,di->d", theirs, b, images)
    return _interval(a.mean() - b.mean(), draws)


def student(values: NDArray[np.float64]) -> Interval | None:
    """The mean of a few independent values with Student's interval; None for a single one, which has no spread."""
    if len(values) < 2:
        return None
    half = float(t.ppf(0.5 + _LEVEL / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return Interval(mean, mean - half, mean + half)
