"""Models that predict the end of learning curves, for the comparison of ``bench.py curve-models``.

Each predicts the value after the last epoch of every begun trial and of configurations that have not begun, with a standard
deviation. Values have the unit of the objective.

- `Product`: the search's own model, `srcnn.tuning.algorithms.curve_model.CurveModel`.
- `Chain`: one regression for each epoch carries every curve to the end; the results are the observations of a Gaussian process
  over configurations: the sampler of this project before its model of whole curves.
- `_bench.curve_ensembles.PowerLaws`: an ensemble of power laws for each curve. It does not read configurations.
- `_bench.curve_ensembles.Trees`: an ensemble of regression trees over the configuration and the curve so far.
- `LastValue`: the last value, and the mean of the finished trials for a configuration that has not begun.

Two published models are missing: ifBO (Rakotoarison et al., ICML 2024) and LC-PFN (Adriaensen et al., NeurIPS 2023) download
their weights at the first use, which the machine of these figures could not do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from srcnn.tuning.algorithms.curve_model import CurveModel, ObservedCurves
from srcnn.tuning.algorithms.gaussian_process import Array, GaussianProcess

__all__ = ["Chain", "LastValue", "Predicted", "Predictor", "Product", "State"]

_GROWTH = 1.3  # fits of a search on its way to a state: after each growth of the number of trials by this factor
_FEWEST = 5  # finished trials from which `LastValue` takes mean and deviation
_FLOOR = 1e-4  # lowest standard deviation of a prediction


@dataclass(frozen=True)
class State:
    """What a search knows at some time, and what it asks for."""

    epochs: int  #: number of epochs of a full trial
    places: list[Array]  #: points of the begun configurations, one array (trials, axes) for each parameter
    curves: Sequence[
        Sequence[float]
    ]  #: value after each finished epoch, higher is better; empty if training failed at once
    failed: Sequence[bool]  #: whether training failed after the curve
    new: list[Array]  #: points of configurations that have not begun

    def first(self, trials: int) -> State:
        """Return the state with only the first trials."""
        return State(
            self.epochs, [p[:trials] for p in self.places], self.curves[:trials], self.failed[:trials], self.new
        )

    def before(self) -> list[State]:
        """Return earlier states, in which a search fitted its model; those with at least five trials."""
        sizes, size = [], 5.0
        while size < len(self.curves):
            sizes.append(int(size))
            size *= _GROWTH
        return [self.first(size) for size in sizes]


@dataclass(frozen=True)
class Predicted:
    """Predicted values after the last epoch: first all begun trials, then the new configurations."""

    mean: Array  #: (begun + new,)
    deviation: Array  #: standard deviations, (begun + new,)


class Predictor(Protocol):
    """A model of learning curves."""

    def warm(self, states: Sequence[State]) -> None:
        """Fit to earlier states of the same search. Models that start afresh at every fit do nothing."""

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""


class Product:
    """`CurveModel` as the search uses it; its hyperparameters move by one step at each fit."""

    def __init__(self, parameters: int, epochs: int) -> None:
        self._model = CurveModel(parameters, epochs)

    def _fit(self, state: State) -> None:
        self._model.fit(ObservedCurves(state.places, state.curves, state.failed, [0] * len(state.curves)))

    def warm(self, states: Sequence[State]) -> None:
        """Fit to earlier states, so that the hyperparameters have been learnt as in a search."""
        for state in states:
            self._fit(state)

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""
        self._fit(state)
        ends = self._model.ends(range(len(state.curves)), state.new)
        return Predicted(ends.mean, ends.deviation)


class Chain:
    """Regressions from epoch to epoch, then a Gaussian process over configurations.

    A begun trial gets the prediction of the regressions alone, on which successive halving and the sampler rely for a curve. The
    process predicts new configurations, without the noise between runs, which the sampler leaves out too; a failed trial has the
    value of the worst trial there.
    """

    def __init__(self, parameters: int, epochs: int) -> None:
        self._process = GaussianProcess(parameters)

    def _fit(self, state: State) -> tuple[Array, Array]:
        told = [dict(enumerate(curve, start=1)) for curve in state.curves]
        known = [curve for curve in told if curve]
        ends, variances = _at_the_end(known)
        lost = np.flatnonzero(np.asarray(state.failed, dtype=bool))
        begun = [i for i, curve in enumerate(told) if curve]
        kept = [k for k, i in enumerate(begun) if not state.failed[i]]
        rows = np.array([*(begun[k] for k in kept), *lost], dtype=np.int64)
        values = np.concatenate([ends[kept], np.full(len(lost), ends[kept].min())])
        noise = np.concatenate([variances[kept], np.zeros(len(lost))])
        self._process.fit([p[rows] for p in state.places], values, noise)
        mean, deviation = np.full(len(told), float(values.min())), np.full(len(told), float(values.std()))
        mean[begun], deviation[begun] = ends, np.sqrt(variances)
        return mean, deviation

    def warm(self, states: Sequence[State]) -> None:
        """Fit to earlier states, so that the hyperparameters have been learnt as in a search."""
        for state in states:
            self._fit(state)

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""
        mean, deviation = self._fit(state)
        new, spread = self._process.predict(state.new)
        return Predicted(np.concatenate([mean, new]), np.maximum(_FLOOR, np.concatenate([deviation, spread])))


class LastValue:
    """The last value of a curve, and the mean of the finished trials for a configuration that has not begun.

    The deviation is the root mean square of the remaining gain of the finished trials, and their standard deviation. Fewer than
    five finished trials vary too little by chance; all last values stand for them.
    """

    def __init__(self, parameters: int, epochs: int) -> None:
        pass

    def warm(self, states: Sequence[State]) -> None:
        """Do nothing: every fit starts afresh."""

    def predict(self, state: State) -> Predicted:
        """Fit to a state and predict."""
        finished = [c for c in state.curves if len(c) == state.epochs]
        last = np.array([c[-1] if len(c) else np.nan for c in state.curves])
        known = last[~np.isnan(last)]
        ends = np.array([c[-1] for c in finished]) if len(finished) >= _FEWEST else known
        spread = max(float(ends.std()), 1e-3)
        gains: Mapping[int, float] = {
            t: math.sqrt(float(np.mean([(c[-1] - c[t - 1]) ** 2 for c in finished]))) if finished else spread
            for t in range(1, state.epochs + 1)
        }
        mean = np.where(np.isnan(last), known.min(), last)
        deviation = np.array([max(gains[len(c)], 1e-3) if len(c) else spread for c in state.curves])
        new = len(state.new[0])
        return Predicted(
            np.concatenate([mean, np.full(new, float(ends.mean()))]), np.concatenate([deviation, np.full(new, spread)])
        )


def _at_the_end(curves: Sequence[Mapping[int, float]]) -> tuple[Array, Array]:
    """Extrapolate curves to the last epoch of the longest curve; return the predicted values and their variances.

    The step from each epoch to the next is a linear regression over the trials that have both epochs.
    """
    last = max(max(curve) for curve in curves)
    spread = float(np.std([curve[max(curve)] for curve in curves])) + 1e-6
    guess = (0.3 * spread) ** 2  # prior of the residual variance, with the weight of two trials
    slopes, shifts, variances = np.ones(last + 1), np.zeros(last + 1), np.zeros(last + 1)  # from each epoch to the last
    for epoch in range(last - 1, 0, -1):
        pairs = [(curve[epoch], curve[epoch + 1]) for curve in curves if epoch in curve and epoch + 1 in curve]
        slope, shift, variance = 1.0, 0.0, guess
        if pairs:
            now, then = np.array(pairs).T
            # Shrunk towards 1 if there are few trials; limited to [0, 1], because differences do not grow on average.
            apart = now - now.mean()
            slope = float((apart @ (then - then.mean()) + guess) / (apart @ apart + guess))
            slope = min(1.0, max(0.0, slope))
            shift = float(then.mean() - slope * now.mean())
            rest = then - slope * now - shift
            variance = float(rest @ rest + 2 * guess) / (len(pairs) + 2)
        shifts[epoch] = slopes[epoch + 1] * shift + shifts[epoch + 1]
        variances[epoch] = slopes[epoch + 1] ** 2 * variance + variances[epoch + 1]
        slopes[epoch] = slopes[epoch + 1] * slope
    ends = np.array([max(curve) for curve in curves])
    now = np.array([curve[end] for curve, end in zip(curves, ends, strict=True)])
    return slopes[ends] * now + shifts[ends], variances[ends]
