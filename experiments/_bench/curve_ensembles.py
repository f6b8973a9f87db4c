"""Ensembles that predict the end of learning curves: power laws for each curve, and regression trees over all of them.

`_bench.curve_predictors` says what they have to do and holds the other models of the comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeRegressor  # type: ignore[import-untyped]

from srcnn.tuning.algorithms.gaussian_process import Array

from _bench.curve_predictors import Predicted, State

__all__ = ["PowerLaws", "Trees"]

_LOWEST = 2.5  # values further below the median, in robust standard deviations, are raised to it: networks that died
_FLOOR = 1e-4  # lowest standard deviation of a prediction
_RATES = np.geomspace(0.15, 4.0, 24)  # exponents of the power laws
_PASSES = 8  # of expectation maximization
_TREES = 60
_PAIRS = 6000  # maximum number of pairs of epochs from which a tree learns
_LEAF = 3  # minimum number of pairs in a leaf

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class PowerLaws:
    """An ensemble of power laws for each curve: y(t) = e - g (t^-c - T^-c) / (1 - T^-c), with end e and gain g after epoch 1.

    The members of the ensemble have different exponents c and are weighted by the likelihood of the curve. Given c, the posterior
    of (e, g) is normal and exact. The prior of (e, g), the weights of the exponents and the noise of each epoch are learnt from
    all curves by expectation maximization, so a short curve gets what is usual, and a new configuration gets the prior.
    """

    def __init__(self, parameters: int, epochs: int) -> None:
        steps = np.arange(1, epochs + 1)
        last = float(epochs) ** -_RATES[:, None]
        fall = (steps[None] ** -_RATES[:, None] - last) / (1.0 - last)
        self._design = np.stack([np.ones_like(fall), -fall], axis=-1)  # (rates, epochs, 2)

    def warm(self, states: Sequence[State]) -> None:
        """Do nothing: every fit starts afresh."""

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""
        values, known = _padded(state)
        lengths = known.sum(axis=1)
        first, last = values[lengths > 0, 0], values[lengths > 0, lengths[lengths > 0] - 1]
        spread = max(float(last.std()), 10 * _FLOOR)
        center = np.array([float(np.median(last)), max(float(np.median(last) - np.median(first)), spread)])
        between = np.diag([(2 * spread) ** 2, max(float(first.std()), spread) ** 2])
        noise = np.full(state.epochs, (0.3 * spread) ** 2)
        weights = np.full(len(_RATES), 1.0 / len(_RATES))
        for _ in range(_PASSES):
            share, mean, covariance = self._posterior(values, known, center, between, noise, weights)
            weights = (share.sum(axis=0) + 1.0 / len(_RATES)) / (len(share) + 1.0)
            center = np.einsum("ij,ijk->k", share, mean) / len(share)
            apart = mean - center
            outer = covariance + apart[..., :, None] * apart[..., None, :]
            between = (np.einsum("ij,ijkl->kl", share, outer) + 2 * np.diag([spread**2] * 2)) / (len(share) + 2.0)
            rest = (values[:, :, None] - np.einsum("ret,irt->ier", self._design, mean)) ** 2
            rest += np.einsum("ret,irts,res->ier", self._design, covariance, self._design)
            counts = known.sum(axis=0)
            sums = np.einsum("ier,ir,ie->e", rest, share, known)
            noise = (sums + 2 * (0.05 * spread) ** 2) / (counts + 2.0)
        share, mean, covariance = self._posterior(values, known, center, between, noise, weights)
        ends = np.einsum("ij,ij->i", share, mean[:, :, 0])
        variance = np.einsum("ij,ij->i", share, covariance[:, :, 0, 0] + (mean[:, :, 0] - ends[:, None]) ** 2)
        new = len(state.new[0])
        means = np.concatenate([ends, np.full(new, center[0])])
        variances = np.concatenate([variance, np.full(new, between[0, 0])]) + noise[-1]
        return Predicted(means, np.sqrt(variances))

    def _posterior(
        self, values: Array, known: Flags, center: Array, between: Array, noise: Array, weights: Array
    ) -> tuple[Array, Array, Array]:
        """Return the share of each exponent in each curve (trials, rates), and the posterior mean and covariance of (e, g)."""
        design, precision = self._design, known / noise
        inverse = np.linalg.inv(between)
        information = inverse + np.einsum("ret,ie,res->irts", design, precision, design)
        apart = values[:, None, :] - np.einsum("ret,t->re", design, center)[None]
        vector = np.einsum("ret,ie,ire->irt", design, precision, apart)
        covariance = np.linalg.inv(information)
        shift = np.einsum("irts,irs->irt", covariance, vector)
        fit = np.einsum("irt,irt->ir", vector, shift) - np.einsum("ie,ire->ir", precision, apart**2)
        log = np.log(weights) + 0.5 * (fit - np.linalg.slogdet(information)[1])
        share = np.exp(log - log.max(axis=1, keepdims=True))
        return share / share.sum(axis=1, keepdims=True), center + shift, covariance


class Trees:
    """An ensemble of randomized regression trees (Geurts, Ernst and Wehenkel, "Extremely randomized trees", 2006).

    They learn increments: the change from each epoch of a curve, or from before its start, to each later one, as a deviation from
    the mean curve. So unfinished curves teach too. Axes are those of the configuration, both epochs, the value, its last two
    steps, and its first value. Every tree is grown on a bootstrap sample of curves; the curves out of its bag give the error, by
    the epoch of the start, which is added to the variance between trees.
    """

    def __init__(self, parameters: int, epochs: int) -> None:
        self._seed = 0

    def warm(self, states: Sequence[State]) -> None:
        """Do nothing: every fit starts afresh."""

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""
        source = np.random.default_rng(self._seed)
        values, known = _padded(state)
        gains = [np.median(values[known[:, t], t] - values[known[:, t], t - 1]) if known[:, t].any() else 0.0
                 for t in range(1, state.epochs)]  # fmt: skip
        curve = np.concatenate([[np.median(values[known[:, 0], 0])], gains]).cumsum()
        apart = np.where(known, values - curve, 0.0)
        axes = np.hstack(state.places)
        lengths = known.sum(axis=1)
        pairs = np.array([(i, a, b) for i, n in enumerate(lengths) for b in range(1, n + 1) for a in range(b)])
        if len(pairs) > _PAIRS:
            pairs = pairs[np.sort(source.choice(len(pairs), _PAIRS, replace=False))]
        x = self._features(axes, apart, pairs[:, 0], pairs[:, 1], pairs[:, 2])
        y = apart[pairs[:, 0], pairs[:, 2] - 1] - self._value(apart, pairs[:, 0], pairs[:, 1])
        every = np.arange(len(lengths))
        asked = self._features(axes, apart, every, lengths, np.full(len(every), state.epochs))
        fresh = np.hstack(state.new)
        none = np.zeros(len(fresh), dtype=np.int64)
        blank = np.zeros((len(fresh), state.epochs))
        unborn = self._features(fresh, blank, np.arange(len(fresh)), none, np.full(len(fresh), state.epochs))
        questions = np.vstack([asked, unborn])
        answers, outside, counts = [], np.zeros(len(y)), np.zeros(len(y))
        for number in range(_TREES):
            bag = np.bincount(source.integers(len(lengths), size=len(lengths)), minlength=len(lengths))
            weight = bag[pairs[:, 0]]
            tree = ExtraTreeRegressor(min_samples_leaf=_LEAF, max_features=0.7, random_state=number)
            tree.fit(x[weight > 0], y[weight > 0], sample_weight=weight[weight > 0])
            answers.append(tree.predict(questions))
            out = weight == 0
            outside[out] += tree.predict(x[out]) if out.any() else 0.0
            counts[out] += 1
        told = np.stack(answers)
        tested = counts > 0
        errors = (outside[tested] / counts[tested] - y[tested]) ** 2
        residual = _by_start(errors, pairs[tested], state.epochs)
        starts = np.concatenate([lengths, none])
        mean = (
            np.concatenate([self._value(apart, every, lengths), np.zeros(len(fresh))]) + told.mean(axis=0) + curve[-1]
        )
        deviation = np.sqrt(told.var(axis=0) + residual[np.minimum(starts, state.epochs - 1)])
        return Predicted(mean, np.maximum(_FLOOR, deviation))

    @staticmethod
    def _value(apart: Array, rows: Integers, epochs: Integers) -> Array:
        return np.where(epochs > 0, apart[rows, np.maximum(epochs - 1, 0)], 0.0)

    def _features(self, axes: Array, apart: Array, rows: Integers, start: Integers, end: Integers) -> Array:
        now = self._value(apart, rows, start)
        before = self._value(apart, rows, np.maximum(start - 1, 0)) * (start > 1)
        earlier = self._value(apart, rows, np.maximum(start - 2, 0)) * (start > 2)
        steps = [(now - before) * (start > 1), (before - earlier) * (start > 2), apart[rows, 0] * (start > 0)]
        return np.column_stack([axes[rows], start, end, now, *steps])


def _padded(state: State) -> tuple[Array, Flags]:
    """Return the values (trials, epochs), 0 after the last known epoch, and where they are known.

    Deep falls are raised, epoch by epoch, against which the search's own model is robust too.
    """
    values = np.zeros((len(state.curves), state.epochs))
    known = np.zeros(values.shape, dtype=bool)
    for row, curve in enumerate(state.curves):
        values[row, : len(curve)], known[row, : len(curve)] = curve, True
    for epoch in range(state.epochs):
        here = known[:, epoch]
        if here.any():
            low, middle, high = np.percentile(values[here, epoch], [25, 50, 75])
            floor = middle - _LOWEST * max(high - low, 1e-2) / 1.35
            values[here, epoch] = np.maximum(values[here, epoch], floor)
    return values, known


def _by_start(errors: Array, pairs: Integers, epochs: int) -> Array:
    """Return the mean squared error for each epoch of the start, from pairs that reach furthest, shrunk to that of all pairs."""
    overall = float(errors.mean()) if len(errors) else 1e-4
    result = np.full(epochs, overall)
    for start in range(epochs):
        here = pairs[:, 1] == start
        if here.any():
            far = here & (pairs[:, 2] >= np.percentile(pairs[here, 2], 75))
            result[start] = (errors[far].sum() + 3 * overall) / (far.sum() + 3)
    return result
