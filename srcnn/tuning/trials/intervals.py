"""Means with confidence intervals, for values that vary with the seed of the training and with the image.

The values are an array (seeds, images), in dB. There are three kinds of intervals:

* `over_seeds`: the images are fixed (a named test set) and the seeds are random. Student's t.
* `over_seeds_and_images`: seeds and images are random, crossed factors: value = mean + seed + image + rest. The variance of the
  mean is (MS_seeds + MS_images - MS_rest) / (seeds * images), with the mean squares MS of a two-way analysis of variance. If
  the mean square of a factor is below that of the rest, the two are pooled. The degrees of freedom are Satterthwaite's
  (Biometrics Bulletin 2, 1946; Searle, Casella and McCulloch, "Variance Components", 1992, section 4.6).
* `difference`: two configurations on the same images. The differences of the values are taken first (paired comparison), so
  that effects of an image or a seed on both configurations cancel out.

With two seeds, the variance between seeds has one degree of freedom. If the estimate happens to be small, it is pooled although
the true variance is not zero. So the interval over seeds and images is never narrower than a fraction of Student's interval
over the seeds alone (``_SHARE``, chosen by simulation). This matters only with two seeds.

A bootstrap over two or three seeds covers 50 to 75 % instead of 95 %, because it can only resample the existing seeds. The
coverage of the intervals here is simulated by ``experiments/bench.py intervals``: 93 to 97 % with two or more seeds, for the
variances of this project's networks. If seeds vary three times as much as everything else, it is 91 % with two seeds, and 93 %
with three.

The interval of a value that was chosen because it is the best is not valid (selection bias). Such a configuration is measured
again with new seeds, on images that were not used in the choice (`srcnn.tuning.whole_search.choice`).
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
_SHARE = 0.35  # minimum width of an interval over seeds and images, as a fraction of that over seeds alone
Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Mean with a 95 % confidence interval; the limits are infinite for a single value, which gives no variance."""

    mean: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is positive."""
        return self.low > 0

    @property
    def bounded(self) -> bool:
        """Whether the limits are finite."""
        return math.isfinite(self.low)

    def minus(self, value: float) -> Interval:
        """Return the interval after subtracting a constant."""
        return Interval(self.mean - value, self.low - value, self.high - value)

    def text(self, form: str = ".3f") -> str:
        """Return a text such as ``0.123 [0.100, 0.146]``, with a format for the numbers."""
        bounds = f"[{self.low:{form}}, {self.high:{form}}]" if self.bounded else "(no interval from one figure)"
        return f"{self.mean:{form}} {bounds}"

    def __str__(self) -> str:
        return self.text()

    def signed(self) -> str:
        """Return the text with signs, for a difference."""
        return self.text("+.3f")

    def to_json(self) -> dict[str, float | None]:
        """Return JSON-serializable data for `from_json`; infinite limits become null."""
        low, high = (self.low, self.high) if self.bounded else (None, None)
        return {"mean": self.mean, "low": low, "high": high}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Interval:
        """Return an interval from the data of `to_json`."""
        low, high = data["low"], data["high"]
        return cls(data["mean"], -math.inf if low is None else low, math.inf if high is None else high)


@dataclass(frozen=True)
class Components:
    """Variance components as standard deviations, in the unit of the values."""

    seed: float  #: standard deviation of the effect of the seed
    image: float  #: standard deviation of the effect of the image
    rest: float  #: standard deviation of the residuals


def over_seeds(values: Figures) -> Interval:
    """Return the mean of values (seeds,) or (seeds, images), with an interval over seeds for fixed images.

    Three seeds, one image; Student's t with two degrees of freedom is 4.303, and 4.303 * 0.1 / sqrt(3) = 0.248:

    >>> print(over_seeds(np.array([[32.4], [32.5], [32.6]])))
    32.500 [32.252, 32.748]
    """
    means = values.reshape(len(values), -1).mean(axis=1)
    freedom = len(means) - 1
    return _interval(float(means.mean()), float(means.var(ddof=1)) / len(means) if freedom else 0.0, freedom)


def over_seeds_and_images(values: Figures) -> Interval:
    """Return the mean of values (seeds, images), with an interval over seeds and images.

    With a single image, the interval is only over seeds, for this image. With a single seed, it is only over images, for this
    network.
    """
    seeds, images = values.shape
    if images == 1 or seeds == 1:
        return over_seeds(values if images == 1 else values.T)
    squares, freedoms = _mean_squares(values)
    (by_seed, by_image, rest), (of_seed, of_image, of_rest) = squares, freedoms
    # A mean square below that of the rest shows no effect of the factor. It is then another estimate of the residual variance.
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
    """Return the mean of ``a - b`` on the same images, with an interval.

    Effects of an image on both cancel out. Here every value of ``a`` is 0.1 to 0.3 dB above that of ``b``:

    >>> b = np.array([[30.0, 36.0], [30.2, 36.1]])
    >>> print(difference(b + [[0.1, 0.2], [0.2, 0.3]], b, images_vary=False).signed())
    +0.200 [-0.435, +0.835]

    Args:
        a: values of one configuration, (seeds, images).
        b: values of the other, (seeds, images), where row i has the same seed as row i of ``a``; or values of a single network,
            (1, images), which is treated as fixed.
        images_vary: whether the interval is over images too, or only over seeds.
    """
    assert len(a) == len(b) or len(b) == 1, "seeds are compared in pairs"
    return (over_seeds_and_images if images_vary else over_seeds)(a - b)


def components(values: Figures) -> Components:
    """Estimate the variance components of values (seeds, images), with at least two seeds and two images.

    The estimates are those of the analysis of variance; negative ones become zero.
    """
    seeds, images = values.shape
    (by_seed, by_image, rest), _ = _mean_squares(values)
    between_seeds, between_images = max(0.0, by_seed - rest) / images, max(0.0, by_image - rest) / seeds
    return Components(math.sqrt(between_seeds), math.sqrt(between_images), math.sqrt(rest))


def _mean_squares(values: Figures) -> tuple[tuple[float, float, float], tuple[int, int, int]]:
    """Return the mean squares and the degrees of freedom of seeds, images and the rest."""
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
