"""Bayesian optimization with a Gaussian process that learns from all curves, including those of stopped trials.

Optuna's samplers use a stopped trial only as a rank (TPE) or not at all (GP), and treat categories as unordered. This sampler

- uses the order of numbers, also if they are choices (64, 128) or lists of sizes (9-1-5, 9-5-5);
- extrapolates a curve that ended early to the last epoch: the mean gain of trials from that epoch to the last one is added, and
  the variance of the gain becomes the noise of the observation. Running trials are treated in the same way. Running trials
  without a report are added as fantasy observations (kriging believer), so that concurrent suggestions differ;
- suggests the configuration with the highest expected improvement, the acquisition function (Jones, Schonlau and Welch,
  "Efficient Global Optimization of Expensive Black-Box Functions", 1998), over the best prediction so far, among candidates that
  have not run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.special import ndtr

from srcnn.tuning.algorithms.candidates import Candidates
from srcnn.tuning.algorithms.gaussian_process import Array, GaussianProcess
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space

__all__ = ["Axes", "CurveSampler"]

_START = 6  # minimum number of random configurations before the Gaussian process is used
_PARENTS = 5  # number of best configurations to vary
_MOST = 300  # maximum number of trials in a fit, which limits its time: a third are the latest, the others the best


class CurveSampler(BaseSampler):
    """Optuna sampler for one objective; see the module's docstring.

    Args:
        space: search space.
        seed: seed of the random draws.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._source = random.Random(seed)
        self._fallback = RandomSampler(seed=seed)
        self._axes = Axes(space)
        self._process = GaussianProcess(len(space.parameters))
        self._start = max(_START, len(space.parameters) + 2)
        self._candidates = Candidates(space, self._source)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return all parameters: they are sampled jointly."""
        return {name: parameter.distribution for name, parameter in self._space.parameters.items()}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return a random value for a parameter that is active only because of a fixed value of another parameter."""
        return self._fallback.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values of the next configuration."""
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        fixed: dict[str, Value] = trial.system_attrs.get("fixed_params", {})
        ran = {self._candidates.key(t.params) for t in others}
        told, lost, waiting = _sort(others, study.direction == StudyDirection.MAXIMIZE)
        if len(told) < self._start:
            candidates = self._candidates.draw(ran, fixed, ())
            return self._candidates.first_allowed(candidates) or self._space.draw(self._source, fixed)
        values, noise = _at_the_end([curve for _, curve in told])
        rows = [params for params, _ in told] + lost
        # A failed trial gets the value of the worst trial, so that similar configurations are avoided.
        values = np.concatenate([values, np.full(len(lost), values.min())])
        noise = np.concatenate([noise, np.zeros(len(lost))])
        if len(rows) > _MOST:
            latest = range(len(rows) - _MOST // 3, len(rows))
            kept = sorted({*latest, *np.argsort(-values)[: _MOST - len(latest)].tolist()})
            rows, values, noise = [rows[i] for i in kept], values[kept], noise[kept]
        places = self._axes.places(rows)
        self._process.fit(places, values, noise)
        predicted = self._process.predict(places)[0]
        if waiting:
            self._process.believe(self._axes.places(waiting))
        candidates = self._candidates.draw(ran, fixed, [rows[i] for i in np.argsort(-predicted)[:_PARENTS]])
        if not candidates:
            return self._space.draw(self._source, fixed)
        mean, spread = self._process.predict(self._axes.places(candidates))
        z = (mean - predicted.max()) / spread
        gain = spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))
        ranked = [candidates[i] for i in np.argsort(-gain)]
        return self._candidates.first_allowed(ranked) or ranked[0]


Params = Mapping[str, Any]
Curve = Mapping[int, float]


def _sort(
    trials: Sequence[FrozenTrial], maximize: bool
) -> tuple[list[tuple[Params, Curve]], list[Params], list[Params]]:
    """Sort trials into those with a curve (higher is better), failed ones that were run, and running ones without a report."""
    sign = 1.0 if maximize else -1.0
    told: list[tuple[Params, Curve]] = []
    lost: list[Params] = []
    waiting: list[Params] = []
    for trial in trials:
        if trial.state == TrialState.FAIL:
            if "skipped" not in trial.user_attrs:
                lost.append(trial.params)
        elif trial.intermediate_values:
            told.append((trial.params, {step: sign * value for step, value in trial.intermediate_values.items()}))
        elif trial.state == TrialState.RUNNING:
            waiting.append(trial.params)
    return told, lost, waiting


def _at_the_end(curves: Sequence[Curve]) -> tuple[Array, Array]:
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


class Axes:
    """Converts configurations to points, with one or more coordinates in [0, 1] for each parameter, -1 if it is inactive."""

    def __init__(self, space: Space) -> None:
        self._parameters = space.parameters
        self._choices = {
            name: dict(zip(map(repr, p.choices), _spread(p.choices), strict=True))
            for name, p in space.parameters.items()
            if isinstance(p, Categorical)
        }

    def places(self, rows: Sequence[Mapping[str, Any]]) -> list[Array]:
        """Return one array (rows, axes) for each parameter."""
        return [np.array([self._place(name, row) for row in rows], ndmin=2) for name in self._parameters]

    def _place(self, name: str, row: Mapping[str, Any]) -> list[float]:
        parameter = self._parameters[name]
        if isinstance(parameter, Categorical):
            known = self._choices[name]
            if name not in row:
                return [-1.0] * len(next(iter(known.values())))
            return known[repr(row[name])]
        if name not in row:
            return [-1.0]
        low, high, at = float(parameter.low), float(parameter.high), float(row[name])
        if parameter.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return [(at - low) / (high - low) if high > low else 0.0]


def _spread(choices: Sequence[Value]) -> list[list[float]]:
    lists = [_numbers(choice) for choice in choices]
    if all(lists) and len({len(numbers) for numbers in lists}) == 1:
        table = np.array(lists, dtype=float)
        if (table > 0).all():
            table = np.log(table)
        table = table[:, np.ptp(table, axis=0) > 0]
        if table.shape[1]:
            return list(((table - table.min(axis=0)) / np.ptp(table, axis=0)).tolist())
    return [[float(i == j) / math.sqrt(2) for j in range(len(choices))] for i in range(len(choices))]


def _numbers(choice: Value) -> list[float]:
    if isinstance(choice, bool) or choice is None:
        return []
    if isinstance(choice, int | float):
        return [float(choice)]
    parts = choice.split("-")
    return [float(p) for p in parts] if all(p.isdigit() for p in parts) else []
