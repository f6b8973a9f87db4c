"""The model of curves: agrees with plain Gaussian process regression, lets curves cross, and ignores what does not help."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern

from srcnn.tuning.algorithms.curve_model import CurveModel, ObservedCurves
from srcnn.tuning.algorithms.gaussian_process import Array

EPOCHS = 9


def curves_of(x: Array, cut: list[int]) -> list[tuple[float, ...]]:
    """Curves that start the lower and end the higher, the larger ``x`` is."""
    t = np.arange(1, EPOCHS + 1) / EPOCHS
    return [tuple((0.5 - 0.4 * a + a * t)[:n].tolist()) for a, n in zip(x, cut, strict=True)]


def seen(
    x: Array, curves: Sequence[tuple[float, ...]], failed: Sequence[int] = (), source: Sequence[int] = ()
) -> ObservedCurves:
    none = [0] * len(x)
    return ObservedCurves([x[:, None]], curves, list(map(bool, failed or none)), source or none)


def test_mean_and_deviation_are_those_of_a_gaussian_process_over_ends() -> None:
    """Of finished curves only the last epoch counts if the kernel over epochs is so short that epochs are unrelated."""
    x = np.linspace(0.0, 1.0, 7)
    ends = np.sin(3.0 * x)
    model = CurveModel(1, 1)
    model._learn = lambda: None  # type: ignore[method-assign]  # the hyperparameters of the reference
    model.fit(seen(x, [(float(v),) for v in ends]))
    new = np.array([[0.1], [0.55], [2.0]])
    found = model.ends([], [new])
    parameters = model._theta
    # With one parameter the mean of the kernels and their product are the same kernel.
    kernel = Matern(length_scale=math.exp(parameters[0]), length_scale_bounds="fixed", nu=2.5)
    noise = math.exp(2 * parameters[3]) + math.exp(2 * parameters[4])  # deviation of a trial, and jitter of one epoch
    shift, unit = float(np.median(ends)), model.unit
    values = np.maximum((ends - shift) / unit, -2.5)
    other = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(x[:, None], values)
    mean, deviation = other.predict(new, return_std=True)
    assert found.mean == pytest.approx(mean * unit + shift, abs=1e-8)
    assert found.deviation == pytest.approx(np.sqrt(deviation**2 + math.exp(2 * parameters[3])) * unit, abs=1e-6)


def test_a_curve_that_starts_low_is_expected_to_end_high_if_similar_ones_did() -> None:
    x = np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0, 0.05, 0.95])
    curves = curves_of(x, [9, 9, 9, 9, 9, 9, 3, 3])
    assert curves[7][-1] < curves[6][-1]  # the last but one leads after three epochs
    model = CurveModel(1, EPOCHS)
    for _ in range(5):
        model.fit(seen(x, curves))
    ends = model.ends([6, 7], [np.zeros((0, 1))])
    assert ends.mean[1] > ends.mean[0] + 0.2


def test_twins_differ_by_less_than_strangers() -> None:
    x = np.linspace(0.0, 1.0, 8)
    model = CurveModel(1, EPOCHS)
    model.fit(seen(x, curves_of(x, [9, 2, 9, 2, 9, 2, 9, 2])))
    ends = model.ends([4], [np.array([[float(x[4]) + 0.01], [float(x[1])]])])
    apart = ends.apart(0)
    assert apart[0] < 1e-3 * model.unit + 1e-4
    assert apart[1] < apart[2]


def test_failed_trials_lower_what_is_expected_beside_them() -> None:
    x = np.linspace(0.0, 1.0, 9)
    curves = curves_of(np.full(9, 0.5), [9] * 9)
    model = CurveModel(1, EPOCHS)
    model.fit(seen(x, curves))
    fine = model.ends([], [np.array([[1.0]])]).mean[0]
    curves[8] = ()
    model = CurveModel(1, EPOCHS)
    model.fit(seen(x, curves, failed=[0] * 8 + [1]))
    once = model.ends([], [np.array([[1.0]])]).mean[0]
    assert once < fine
    # One failure may be an accident: its neighbour that finished counts for more. Several of them count.
    assert fine - once < 0.5 * 2.5 * model.unit
    model = CurveModel(1, EPOCHS)
    model.fit(seen(np.append(x, [0.98, 0.99]), [*curves, (), ()], failed=[0] * 8 + [1] * 3))
    assert model.ends([], [np.array([[1.0]])]).mean[0] < once


def test_another_source_helps_if_it_agrees_and_is_ignored_if_it_does_not() -> None:
    x = np.linspace(0.0, 1.0, 12)
    here = np.array([0.05, 0.5, 0.95])
    truth, opposite = np.sin(3.0 * x), -np.sin(3.0 * x)
    own = [(float(v),) for v in np.sin(3.0 * here)]
    errors = {}
    for name, there in (("agrees", truth + 5.0), ("disagrees", opposite)):
        places = np.concatenate([here, x])
        source = [0] * 3 + [1] * 12
        model = CurveModel(1, 1)
        for _ in range(8):
            model.fit(seen(places, [*own, *((float(v),) for v in there)], source=source))
        found = model.ends([], [x[:, None]]).mean
        errors[name] = float(np.abs(found - truth).mean())
    alone = CurveModel(1, 1)
    for _ in range(8):
        alone.fit(seen(here, own))
    errors["alone"] = float(np.abs(alone.ends([], [x[:, None]]).mean - truth).mean())
    assert errors["agrees"] < errors["alone"]
    assert errors["disagrees"] < 2.0 * errors["alone"] + 0.05


def test_a_believed_end_is_certain_and_changes_no_mean() -> None:
    x = np.linspace(0.0, 1.0, 6)
    model = CurveModel(1, EPOCHS)
    model.fit(seen(x, [*curves_of(x[:5], [9, 9, 3, 3, 9]), ()]))
    before = model.ends([5], [np.zeros((0, 1))])
    model.believe([5])
    after = model.ends([5], [np.zeros((0, 1))])
    assert after.mean[0] == pytest.approx(before.mean[0], abs=1e-6)
    assert after.deviation[0] < 0.7 * before.deviation[0]
