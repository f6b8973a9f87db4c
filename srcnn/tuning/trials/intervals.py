"""Means with intervals, for figures that vary with the seed of the training and with the image.

Three kinds of figures come as an array (seeds, images), in dB:

* `over_seeds`: the images are what they are (a named test set); another seed is another training. Student's t.
* `over_seeds_and_images`: another seed and other photographs. Both are random, crossed factors:
  figure = mean + seed + image + rest. The variance of the mean is (MS_seeds + MS_images - MS_rest) / (seeds * images), of the
  mean squares of a two-way analysis of variance; a factor whose mean square is below that of the rest is pooled with the rest.
  The degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946; Searle, Casella and McCulloch, "Variance Components",
  1992, section 4.6).
* `difference`: of two configurations on the same images. Taken figure by figure first, so that what makes an image hard, or a
  seed lucky for both, cancels out.

From two seeds the variance between them has one degree of freedom; where it happens to be small, it is pooled away although it
is there. So the interval over both is never narrower than a share of Student's over the seeds alone (``_SHARE``, chosen by
simulation), which matters with two seeds only.

The bootstrap over two or three seeds covers 50 to 75 % where 95 % is meant: it can only give back the seeds there are. How often
these intervals hold the true mean is simulated by ``experiments/bench.py intervals``: 93 to 97 % from two seeds on, with the
variances that this project's networks have. Two seeds cannot tell a variance from chance, though: where seeds vary three times
as much as all else, two of them cover 91 %, and three 93 %.

An interval says nothing of a figure that was chosen for being the best. Such a figure is measured again, from new seeds and on
images that took no part in the choice (`srcnn.tuning.search.choice`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

__all__ = ["Components", "Figures", "Interval", "components", "difference", "over_seeds", "over_seeds_and_images"]

_LEVEL = 0.95
_SHARE = 0.35  # of the interval over seeds alone, below which one over seeds and images is not believed
Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % confidence interval; without bounds (infinite) where a single figure says nothing of its spread."""

    mean: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is positive."""
        return self.low > 0

    @property
    def bounded(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low)

    def minus(self, value: float) -> Interval:
        """The interval of the figure less a constant."""
        return Interval(self.mean - value, self.low - value, self.high - value)

    def text(self, form: str = ".3f") -> str:
        """``0.123 [0.100, 0.146]``, every number in the given format."""
        bounds = f"[{self.low:{form}}, {self.high:{form}}]" if self.bounded else "(no interval from one figure)"
        return f"{self.mean:{form}} {bounds}"

    def __str__(self) -> str:
        return self.text()

    def signed(self) -> str:
        """With signs, for a difference."""
        return self.text("+.3f")

    def to_json(self) -> dict[str, float | None]:
        """Return JSON-able data, which `from_json` reads; bounds that are infinite are null."""
        low, high = (self.low, self.high) if self.bounded else (None, None)
        return {"mean": self.mean, "low": low, "high": high}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interval:
        """Return the interval that `to_json` wrote."""
        low, high = data["low"], data["high"]
        return cls(data["mean"], -math.inf if low is None else low, math.inf if high is None else high)


@dataclass(frozen=True)
class Components:
    """Standard deviations, in the unit of the figures."""

    seed: float  #: between seeds, the same on every image
    image: float  #: between images, the same for every seed
    rest: float  #: variance of a figure around the sum of both effects


def over_seeds(values: Figures) -> Interval:
    """The mean of (seeds,) or (seeds, images) figures; the interval is over seeds, the images being what they are.

    Three seeds, one image; Student's t with two degrees of freedom is 4.303, and 4.303 * 0.1 / sqrt(3) = 0.248:

    >>> print(over_seeds(np.array([[32.4], [32.5], [32.6]])))
    32.500 [32.252, 32.748]
    """
    means = values.reshape(len(values), -1).mean(axis=1)
    freedom = len(means) - 1
    return _interval(float(means.mean()), float(means.var(ddof=1)) / len(means) if freedom else 0.0, freedom)


def over_seeds_and_images(values: Figures) -> Interval:
    """The mean of (seeds, images) figures; the interval is over both.

    From a single image nothing can be said of others: the interval is then over seeds. From a single seed nothing can be said
    of other trainings: it is then over images, for that one network.
    """
    seeds, images = values.shape
    if images == 1 or seeds == 1:
        return over_seeds(values if images == 1 else values.T)
    squares, freedoms = _mean_squares(values)
    (by_seed, by_image, rest), (of_seed, of_image, of_rest) = squares, freedoms
    # Smaller than the rest's, a factor's mean square says that the factor does nothing: then it is one more estimate of the rest.
    kept = []
    for square, freedom in ((by_seed, of_seed), (by_image, of_image)):
        if square < rest:
            rest = (rest * of_rest + square * freedom) / (of_rest + freedom)
            of_rest += freedom
        else:
            kept.append((square, freedom))
    terms = [*kept, ((1 - len(kept)) * rest, of_rest)]
    variance = sum(square for square, _ in terms)
    spread = sum(square**2 / freedom for square, freedom in terms)
    satterthwaite = variance**2 / spread if spread > 0 else float(of_rest)
    found = _interval(float(values.mean()), variance / (seeds * images), max(1.0, satterthwaite))
    alone = over_seeds(values)
    half = max(found.high - found.mean, _SHARE * (alone.high - alone.mean))
    return Interval(found.mean, found.mean - half, found.mean + half)


def difference(a: Figures, b: Figures, *, images_vary: bool = True) -> Interval:
    """The mean of ``a - b`` on the same images.

    What makes an image hard for both cancels out: here every figure of ``a`` is 0.1 to 0.3 dB above that of ``b``.

    >>> b = np.array([[30.0, 36.0], [30.2, 36.1]])
    >>> print(difference(b + [[0.1, 0.2], [0.2, 0.3]], b, images_vary=False).signed())
    +0.200 [-0.435, +0.835]

    Args:
        a: (seeds, images) of one configuration.
        b: (seeds, images) of the other, row i trained from the same seed as row i of ``a``; or (1, images) of one network, which
            is then taken as it is.
        images_vary: whether the interval is for other images too; else for these alone.
    """
    assert len(a) == len(b) or len(b) == 1, "seeds are compared pair by pair"
    return (over_seeds_and_images if images_vary else over_seeds)(a - b)


def components(values: Figures) -> Components:
    """How far (seeds, images) figures vary by seed, by image and beyond that; at least two of each.

    The analysis-of-variance estimates, zero where they are negative.
    """
    seeds, images = values.shape
    (by_seed, by_image, rest), _ = _mean_squares(values)
    between_seeds, between_images = max(0.0, by_seed - rest) / images, max(0.0, by_image - rest) / seeds
    return Components(math.sqrt(between_seeds), math.sqrt(between_images), math.sqrt(rest))


def _mean_squares(values: Figures) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Mean squares and degrees of freedom of seeds, images and the rest."""
    seeds, images = values.shape
    mean, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - columns[None, :] + mean
    freedoms = seeds - 1, images - 1, (seeds - 1) * (images - 1)
    sums = images * ((rows - mean) ** 2).sum(), seeds * ((columns - mean) ** 2).sum(), (rest**2).sum()
    by_seed, by_image, of_rest = (float(total) / freedom for total, freedom in zip(sums, freedoms, strict=True))
    return (by_seed, by_image, of_rest), freedoms


def _interval(mean: float, variance: float, freedom: float) -> Interval:
    if freedom < 1:
        return Interval(mean, -math.inf, math.inf)
    half = float(stdtrit(freedom, 0.5 + _LEVEL / 2)) * math.sqrt(max(0.0, variance))
    return Interval(mean, mean - half, mean + half)
