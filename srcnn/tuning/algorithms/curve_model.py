"""Gaussian process over configurations and epochs: predicts the end of every learning curve, with its uncertainty.

The value of trial i with configuration x after epoch t is modelled as

    mean(t) + f(x, t) + g_i(t) + jitter

``f`` is shared by all trials and scales. Its kernel is the product of a kernel over configurations (the mean of one Matern 5/2
kernel per parameter plus their weighted product, as in `srcnn.tuning.algorithms.gaussian_process`) and a kernel over epochs: a
Matern 5/2 kernel over their logarithm, plus a rise with this logarithm. So a network that starts slowly may end ahead: how fast
similar networks rose, and where they ended, counts for its end, and its first epochs count less the further they are from it.
``g_i`` is the deviation of one trial from its configuration, the noise between seeds. The jitter of single epochs is larger in
early epochs. The first model of this kind is
freeze-thaw Bayesian optimization (Swersky, Snoek and Adams, arXiv:1406.3896, 2014); the product kernel is that of Rakotoarison
et al. ("In-Context Freeze-Thaw Bayesian Optimization", ICML 2024) and of multi-task Gaussian processes.

Values are robust against the deep falls of networks that diverge: deviations from the mean curve are limited from below. A failed
trial counts as such a low value, but with a large noise: as an exact one, two deep networks that failed at a high rate made the
model expect little of all deep networks. Several failures of similar networks add up.

Three epochs of each curve are used, which limits the time of a fit. Curves of earlier searches are another *source*: each
source has its own offset, and its correlation to the present search is one of the hyperparameters, so that it is ignored
where it does not help.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solve_triangular

from srcnn.tuning.algorithms.gaussian_process import Array

__all__ = ["CurveModel", "Ends", "ObservedCurves"]

_STEP = 0.5  # step of coordinate ascent, in the logarithm of a hyperparameter
_OFTEN, _GROWTH = (
    60,
    1.15,
)  # up to so many observations hyperparameters are improved at every fit, then after such growth
_LOWEST = 2.5  # limit of deviations below the median, and value of a failed trial, in robust standard deviations
#: Standard deviation of the value of a failed trial, in the same units: one failure says little about all networks of its depth.
_LOST_NOISE = 2.0
_INCREMENT = (
    0.6  # expected gain of the next epoch, relative to the mean gain per epoch so far, with the weight of one trial
)

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ObservedCurves:
    """Curves that a model learns from."""

    places: list[Array]  #: points of the configurations, one array (trials, axes) for each parameter
    curves: Sequence[
        Sequence[float]
    ]  #: value after each finished epoch, higher is better; may be empty for a failed trial
    failed: Sequence[bool]  #: whether the training failed after its curve
    source: Sequence[int]  #: 0 for the present search, other numbers for earlier ones


@dataclass(frozen=True)
class Ends:
    """Predicted values after the last epoch."""

    mean: Array  #: (rows,), in the units of the curves
    deviation: Array  #: standard deviations, (rows,)
    _model: CurveModel
    _points: _Points
    _reduced: Array  # covariances with the observations, divided by the Cholesky factor

    def apart(self, row: int) -> Array:
        """Return the standard deviation of the difference of every row to one of them, (rows,).

        The ends of two similar configurations vary together. Their difference is then almost certain.
        """
        shared = self._model.covariance(self._points, self._points.take(np.array([row])))[:, 0]
        shared = shared - self._reduced.T @ self._reduced[:, row]
        own = (self.deviation / self._model.unit) ** 2
        variance = np.maximum(1e-8, own + own[row] - 2.0 * shared)
        return np.asarray(np.sqrt(variance) * self._model.unit)


@dataclass(frozen=True)
class _Points:
    places: list[Array]
    epochs: Integers  # from 0
    trials: Integers  # number of the trial; negative: a trial that has not begun
    source: Integers

    def take(self, rows: Integers) -> _Points:
        return _Points([p[rows] for p in self.places], self.epochs[rows], self.trials[rows], self.source[rows])

    def __len__(self) -> int:
        return len(self.epochs)


class CurveModel:
    """Model of learning curves; see the module's docstring.

    Args:
        parameters: number of parameters of a configuration.
        epochs: number of epochs of a full trial.
    """

    def __init__(self, parameters: int, epochs: int) -> None:
        self._epochs = epochs
        # Logarithms of: length scale of each parameter, weight of the product, length scale of log(epoch), standard deviations of
        # the deviation of a trial and of the jitter, variance of the rise, and distance between two sources.
        names = [*[0.6] * parameters, 0.5, 1.5, 0.25, 0.10, 1.0, 0.3]
        self._prior = np.log(np.array(names))
        self._width = np.array([*[0.8] * parameters, 1.0, 0.5, 0.6, 0.6, 1.0, 1.0])
        self._theta = self._prior.copy()
        self._learnt = 0
        self._rise = np.log(np.arange(1, epochs + 1)) / math.log(max(2, epochs))
        self._jitter = np.sqrt(epochs / np.arange(1, epochs + 1))
        self.unit = 1.0  #: robust standard deviation of the values, in their units

    def fit(self, seen: ObservedCurves) -> None:
        """Fit to curves, of which at least one has an epoch."""
        self._mean = _mean_curve([c for c, s in zip(seen.curves, seen.source, strict=True) if not s], self._epochs)
        if not any(len(c) for c, s in zip(seen.curves, seen.source, strict=True) if not s):
            self._mean = _mean_curve(seen.curves, self._epochs)
        rows, epochs, values = _three_epochs(seen.curves)
        source = np.asarray(seen.source, dtype=np.int64)
        apart = values - self._mean[epochs]
        own = apart[source[rows] == 0] if (source[rows] == 0).any() else apart
        low, self._middle, high = np.percentile(own, [25, 50, 75])
        self.unit = max(float(high - low) / 1.35, 1e-3)
        for number in set(source.tolist()) - {0}:  # the offset of other data
            there = source[rows] == number
            if there.any():
                apart[there] -= np.median(apart[there]) - self._middle
        values = np.maximum((apart - self._middle) / self.unit, -_LOWEST)
        lost = np.flatnonzero(np.asarray(seen.failed, dtype=bool))
        rows = np.concatenate([rows, lost]).astype(np.int64)
        epochs = np.concatenate([epochs, np.full(len(lost), self._epochs - 1)]).astype(np.int64)
        values = np.concatenate([values, np.full(len(lost), -_LOWEST)])
        self._failures = np.zeros(len(values))
        self._failures[len(values) - len(lost) :] = _LOST_NOISE
        self._seen = seen
        self._points = _Points([p[rows] for p in seen.places], epochs, rows, source[rows])
        self._values = values
        if len(values) < _OFTEN or len(values) > _GROWTH * self._learnt:
            self._learnt = len(values)
            self._learn()
        self._solve()

    def _learn(self) -> None:
        """Improve each hyperparameter by at most one step; the next call continues from there."""
        best = self._density(self._theta)
        for i in range(len(self._theta)):
            for step in (_STEP, -_STEP):
                trial = self._theta.copy()
                trial[i] += step
                density = self._density(trial)
                if density > best:
                    best, self._theta = density, trial
                    break

    def _noisy(self, theta: Array) -> Array:
        k = self._covariance(self._points, self._points, theta)
        k[np.diag_indices_from(k)] += (math.exp(theta[-3]) * self._jitter[self._points.epochs]) ** 2 + self._failures**2
        return k

    def _density(self, theta: Array) -> float:
        try:
            factor = np.linalg.cholesky(self._noisy(theta))
        except LinAlgError:
            return -math.inf
        half = solve_triangular(factor, self._values, lower=True)
        fit = -0.5 * float(half @ half) - float(np.log(np.diag(factor)).sum())
        return fit - 0.5 * float((((theta - self._prior) / self._width) ** 2).sum())

    def _solve(self) -> None:
        self._factor = np.linalg.cholesky(self._noisy(self._theta))
        self._half = solve_triangular(self._factor, self._values, lower=True)

    def covariance(self, a: _Points, b: _Points) -> Array:
        """Return the prior covariances between points, in units of `unit` squared."""
        return self._covariance(a, b, self._theta)

    def _covariance(self, a: _Points, b: _Points, theta: Array) -> Array:
        parameters = len(a.places)
        # A trial has up to three points with one configuration, so configurations are compared once.
        _, first_a, each_a = np.unique(a.trials, return_index=True, return_inverse=True)
        _, first_b, each_b = np.unique(b.trials, return_index=True, return_inverse=True)
        parts = [
            _matern(_distance(p[first_a], q[first_b]) / math.exp(t))
            for p, q, t in zip(a.places, b.places, theta[:parameters], strict=True)
        ]
        weight = math.exp(theta[parameters])
        over_configurations = (sum(parts) / parameters + weight * np.multiply.reduce(parts)) / (1.0 + weight)
        same_source = a.source[first_a][:, None] == b.source[first_b][None]
        shared = over_configurations * np.where(same_source, 1.0, math.exp(-math.exp(theta[-1])))
        shared += math.exp(2.0 * theta[parameters + 2]) * (a.trials[first_a][:, None] == b.trials[first_b][None])
        epoch = np.log(np.arange(1, self._epochs + 1))
        over_epochs = _matern(np.abs(epoch[:, None] - epoch[None]) / math.exp(theta[parameters + 1]))
        over_epochs += math.exp(theta[-2]) * self._rise[:, None] * self._rise[None]
        return np.asarray(shared[np.ix_(each_a, each_b)] * over_epochs[np.ix_(a.epochs, b.epochs)])

    def believe(self, rows: Sequence[int]) -> None:
        """Add the predicted ends of some of the trials as if they had been observed (kriging believer).

        Then trials that are running count as known, and decisions for other workers do not repeat them.
        """
        if not rows:
            return
        points = self._trial_points(np.asarray(rows, dtype=np.int64))
        mean = solve_triangular(self._factor, self.covariance(self._points, points), lower=True).T @ self._half
        both = (self._points, points)
        self._points = _Points(
            [np.vstack(pair) for pair in zip(*(p.places for p in both), strict=True)],
            np.concatenate([p.epochs for p in both]),
            np.concatenate([p.trials for p in both]),
            np.concatenate([p.source for p in both]),
        )
        self._values = np.concatenate([self._values, mean])
        self._failures = np.concatenate([self._failures, np.zeros(len(mean))])
        self._solve()

    def _trial_points(self, rows: Integers) -> _Points:
        last = np.full(len(rows), self._epochs - 1, dtype=np.int64)
        source = np.asarray(self._seen.source, dtype=np.int64)[rows]
        return _Points([p[rows] for p in self._seen.places], last, rows, source)

    def ends(self, rows: Sequence[int], places: list[Array]) -> Ends:
        """Predict the values after the last epoch.

        Args:
            rows: numbers of observed trials, which come first in the result.
            places: points of configurations that have not begun, one array (rows, axes) for each parameter.
        """
        old = self._trial_points(np.asarray(rows, dtype=np.int64))
        new = len(places[0])
        points = _Points(
            [np.vstack(pair) for pair in zip(old.places, places, strict=True)],
            np.full(len(rows) + new, self._epochs - 1, dtype=np.int64),
            np.concatenate([old.trials, -1 - np.arange(new)]),
            np.zeros(len(rows) + new, dtype=np.int64),
        )
        reduced = solve_triangular(self._factor, self.covariance(self._points, points), lower=True)
        before = (1.0 + math.exp(2.0 * self._theta[-4])) * (1.0 + math.exp(self._theta[-2]) * self._rise[-1] ** 2)
        variance = np.maximum(1e-8, before - (reduced * reduced).sum(axis=0))
        mean = (reduced.T @ self._half) * self.unit + self._middle + self._mean[-1]
        return Ends(np.asarray(mean), np.sqrt(variance) * self.unit, self, points, reduced)


def _mean_curve(curves: Sequence[Sequence[float]], epochs: int) -> Array:
    """Return a mean curve: the median first value, then the median gain of those curves that have both epochs.

    The medians of the values would rise where poor trials were left behind; gains are affected less.
    """
    first = [curve[0] for curve in curves if len(curve)]
    mean = np.zeros(epochs)
    mean[0] = np.median(first) if first else 0.0
    for epoch in range(1, epochs):
        gains = [curve[epoch] - curve[epoch - 1] for curve in curves if len(curve) > epoch]
        before = (mean[epoch - 1] - mean[0]) / (epoch - 1) if epoch > 1 else 0.1
        expected = _INCREMENT * max(0.0, float(before))
        gain = (float(np.median(gains)) * len(gains) + expected) / (len(gains) + 1) if gains else expected
        mean[epoch] = mean[epoch - 1] + gain
    return mean


def _three_epochs(curves: Sequence[Sequence[float]]) -> tuple[Integers, Integers, Array]:
    """Return curve, epoch from 0, and value of up to three epochs of each curve: the last one, a half and a third of it."""
    rows, epochs, values = [], [], []
    for row, curve in enumerate(curves):
        last = len(curve)
        for epoch in sorted({last, max(1, last // 2), max(1, (last + 1) // 3)}) if last else ():
            rows.append(row)
            epochs.append(epoch - 1)
            values.append(curve[epoch - 1])
    return np.array(rows, dtype=np.int64), np.array(epochs, dtype=np.int64), np.array(values, dtype=np.float64)


def _distance(a: Array, b: Array) -> Array:
    if a.shape[1] == 1:
        return np.asarray(np.abs(a - b.T))
    return np.asarray(np.sqrt(((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)))


def _matern(r: Array) -> Array:
    s = math.sqrt(5.0) * r
    return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))
