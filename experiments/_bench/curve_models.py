"""Section ``curve-models``: models of learning curves, compared on recorded tables.

A state is what a search knows at some time: some trials of a table have begun, and ended at random epochs as successive halving
would leave them; the others have not begun. Every model of `_bench.curve_predictors` predicts the end of every begun and
unfinished trial and of every configuration that has not begun. The truth is the recorded end of the same run, so the noise
between seeds counts.

Scores of a state, means over trials; failed runs have no end and are left out:

- log density: natural logarithm of the predicted normal density at the truth, in 1/dB; of all ends, and the median, which one
  network that died later does not change
- error: root mean square, in dB; rank: Spearman's correlation of prediction and truth over trials
- covered: share of the truths in the central 80 % interval
- crossings: of the pairs of begun trials, not both finished, whose order at the last common epoch is not that of the ends, the
  share whose predicted ends say so; false crossings: the same share of the pairs that do not cross

The search was developed on these tables. The tables that are kept aside to judge it are not read here.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, spearmanr

from srcnn.tuning.algorithms.axes import Axes
from srcnn.tuning.algorithms.early_stopping import GRACE, REDUCTION
from srcnn.tuning.algorithms.gaussian_process import Array
from srcnn.tuning.curves.curve_table import Curve, CurveTable, read_table
from srcnn.tuning.trials.objective import PAPER_GAIN

from _bench.curve_ensembles import PowerLaws, Trees
from _bench.curve_predictors import Chain, LastValue, Predicted, Predictor, Product, State
from _bench.machine import ROOT, on_one_thread
from _bench.record import Bench, summary

__all__ = ["draw_state", "large_state", "run_curve_models", "scores"]

#: Models by their names in the tables; each is made from the number of parameters and the number of epochs.
PREDICTORS: Mapping[str, Callable[[int, int], Predictor]] = {
    "product GP": Product,
    "chain + GP": Chain,
    "power laws": PowerLaws,
    "trees": Trees,
    "last value": LastValue,
}

TABLES = ("grid-x3", "grid-deep-x4", "grid-dense-x2")  #: tables for development, in experiments/results
_BEGUN = (20, 60)  # numbers of begun trials
_STATES = 50  # states of each size and table
_LARGE = (150, 500)  # trials of the timing; a fit of the search uses 150 at most
_NEW = 300  # new configurations of the timing
_INSIDE = float(norm.ppf(0.9))  # half the width of the central 80 % interval, in standard deviations
_SCORES = {
    "density": "log density",
    "begun_density": "begun",
    "new_density": "new",
    "median_density": "median",
    "begun_error_db": "error begun, dB",
    "new_error_db": "new, dB",
    "begun_rank": "rank begun",
    "new_rank": "new",
    "begun_covered": "covered begun",
    "new_covered": "new",
    "crossings": "crossings",
    "false_crossings": "false",
}


@dataclass(frozen=True)
class Drawn:
    """A state of a search with the truth about it."""

    state: State
    ends: Array  #: recorded value after the last epoch of begun trials, then of new ones; NaN for a run that fails
    in_db: float  #: what a value of 1 is, in dB


def draw_state(table: CurveTable, begun: int, seed: int) -> Drawn:
    """Return a random state: successive halving on a random order of the table's configurations, one random run of each.

    A trial reaches the next rung if it is among the best third of those that reached the rung before. Others end at a random
    epoch before the next rung, because trials that pause do not stop at rungs only.
    """
    source = np.random.default_rng(seed)
    order = source.permutation(len(table.params))
    runs = [table.curves[row][source.integers(len(table.curves[row]))] for row in order]
    rungs = [GRACE]
    while rungs[-1] * REDUCTION < table.epochs:
        rungs.append(rungs[-1] * REDUCTION)
    reached: dict[int, list[float]] = {rung: [] for rung in rungs}
    curves, failed = [], []
    for run in runs[:begun]:
        length = table.epochs
        for rung, following in zip(rungs, [*rungs[1:], table.epochs], strict=True):
            if len(run.objective) < rung or (run.failed and len(run.objective) == rung):
                break
            reached[rung].append(run.objective[rung - 1])
            if run.objective[rung - 1] < np.quantile(reached[rung], 1 - 1 / REDUCTION):
                low = 1 if rung == GRACE else rung
                length = int(source.integers(low, following))
                break
        told = _told(run)
        curves.append(told[:length])
        failed.append(run.failed and length > len(told))
    places = Axes(table.space).places([table.params[row] for row in order])
    ends = np.array([np.nan if run.failed else run.objective[-1] for run in runs])
    state = State(table.epochs, [p[:begun] for p in places], curves, failed, [p[begun:] for p in places])
    return Drawn(state, ends, PAPER_GAIN[table.scale])


def _told(run: Curve) -> tuple[float, ...]:
    """Return the curve without the value of a failure."""
    return run.objective[:-1] if run.failed else run.objective


def scores(drawn: Drawn, predicted: Predicted) -> dict[str, float]:
    """Return the scores of a prediction; see the module's docstring. NaN: nothing to score, or every prediction is the same."""
    state = drawn.state
    lengths = np.array([len(curve) for curve in state.curves])
    begun = np.zeros(len(drawn.ends), dtype=bool)
    begun[: len(lengths)] = (lengths < state.epochs) & ~np.asarray(state.failed, dtype=bool)
    new = np.arange(len(drawn.ends)) >= len(lengths)
    begun, new = begun & ~np.isnan(drawn.ends), new & ~np.isnan(drawn.ends)
    truth, mean = drawn.ends * drawn.in_db, predicted.mean * drawn.in_db
    deviation = predicted.deviation * drawn.in_db
    density = norm.logpdf(truth, mean, deviation)
    found = {
        "density": float(density[begun | new].mean()),
        "median_density": float(np.median(density[begun | new])),
    }
    for name, rows in (("begun", begun), ("new", new)):
        found[f"{name}_density"] = float(density[rows].mean())
        found[f"{name}_error_db"] = float(np.sqrt(np.mean((mean[rows] - truth[rows]) ** 2)))
        same = np.ptp(mean[rows]) < 1e-12
        found[f"{name}_rank"] = math.nan if same else float(spearmanr(mean[rows], truth[rows]).statistic)
        found[f"{name}_covered"] = float((np.abs(truth - mean)[rows] <= _INSIDE * deviation[rows]).mean())
    return found | _crossings(drawn, predicted)


def _crossings(drawn: Drawn, predicted: Predicted) -> dict[str, float]:
    state, count = drawn.state, len(drawn.state.curves)
    told = [i for i in range(count) if len(state.curves[i]) and not state.failed[i] and not math.isnan(drawn.ends[i])]
    # A finished trial has its own end.
    ends = np.array(
        [drawn.ends[i] if len(state.curves[i]) == state.epochs else predicted.mean[i] for i in range(count)]
    )
    said: dict[bool, list[bool]] = {True: [], False: []}
    for at, i in enumerate(told):
        for j in told[:at]:
            common = min(len(state.curves[i]), len(state.curves[j]))
            if common == state.epochs:
                continue
            ahead = state.curves[i][common - 1] - state.curves[j][common - 1]
            truly, guessed = drawn.ends[i] - drawn.ends[j], ends[i] - ends[j]
            said[bool(ahead * truly < 0)].append(bool(ahead * guessed < 0))
    return {
        "crossings": float(np.mean(said[True])) if said[True] else math.nan,
        "false_crossings": float(np.mean(said[False])) if said[False] else math.nan,
    }


def large_state(table: CurveTable, trials: int, seed: int) -> State:
    """Return a state of many whole curves: rows of the table again and again, points and values changed a little."""
    source = np.random.default_rng(seed)
    rows = [i for i, runs in enumerate(table.curves) if not any(run.failed for run in runs)]
    places = Axes(table.space).places(table.params)

    def moved(some: Sequence[int]) -> list[Array]:
        return [np.asarray(p[some] + 0.02 * source.standard_normal((len(some), p.shape[1]))) for p in places]

    chosen = source.choice(rows, trials)
    curves = [np.asarray(table.curves[i][0].objective) + 0.01 * source.standard_normal(table.epochs) for i in chosen]
    return State(
        table.epochs,
        moved(chosen.tolist()),
        [curve.tolist() for curve in curves],
        [False] * trials,
        moved(source.choice(rows, _NEW).tolist()),
    )


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return mean and 95 % half width of every score over states; None if no state has it."""
    found: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if not math.isnan(row[name])]
        half = 1.96 * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        found[name] = [round(statistics.fmean(values), 4), round(half, 4)] if values else None
    return found


def _compare(name: str, begun: int, states: int) -> list[dict[str, Any]]:
    table = _table(name)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in PREDICTORS}
    seconds: dict[str, list[float]] = {name: [] for name in PREDICTORS}
    for seed in range(states):
        drawn = draw_state(table, begun, seed)
        for name, make in PREDICTORS.items():
            model = make(len(drawn.state.places), table.epochs)
            model.warm(drawn.state.before())
            started = time.perf_counter()
            predicted = model.predict(drawn.state)
            seconds[name].append(time.perf_counter() - started)
            rows[name].append(scores(drawn, predicted))
    return [{"model": name, "seconds": summary(seconds[name]), **_mean(rows[name])} for name in PREDICTORS]


def _times(sizes: Sequence[int], repetitions: int) -> list[dict[str, Any]]:
    table, found = _table(TABLES[0]), []
    for trials in sizes:
        state = large_state(table, trials, 0)
        for name, make in PREDICTORS.items():
            taken = []
            for _ in range(repetitions):
                model = make(len(state.places), table.epochs)
                started = time.process_time()
                model.predict(state)
                taken.append(time.process_time() - started)
            found.append({"model": name, "trials": trials, "core_seconds": summary(taken)})
    return found


def _table(name: str) -> CurveTable:
    return read_table(ROOT / "experiments" / "results" / f"{name}.csv.gz")


def run_curve_models(bench: Bench) -> None:
    """Compare and print."""
    states = 2 if bench.quick else _STATES
    result: dict[str, Any] = {"states": states, "compared": [], "times": []}
    about = {"n": f"{states} states of each table and size", "seed": 0}
    for name in TABLES:
        for begun in _BEGUN:
            models = on_one_thread(bench.core, _compare, name, begun, states)
            result["compared"].append({"table": name, "begun": begun, "models": models})
            bench.record.put("curve-models", result, **about)
            _show(bench, name, begun, models)
    result["times"] = on_one_thread(bench.core, _times, (20, 40) if bench.quick else _LARGE, 1 if bench.quick else 5)
    result["overall"] = _overall(result["compared"])
    bench.record.put("curve-models", result, **about)
    for begun in _BEGUN:
        _show(bench, "all tables", begun, [row for row in result["overall"] if row["begun"] == begun])
    took = [[row["model"], row["trials"], f"{row['core_seconds']['median']:.2f}"] for row in result["times"]]
    notes = [f"first fit and prediction of all ends and of {_NEW} new configurations; one thread, medians"]
    bench.table("curve-models: time with whole curves", ["model", "trials", "core-s"], took, notes)


def _overall(compared: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return means over tables, each counted alike."""
    found = []
    for begun in _BEGUN:
        here = [one["models"] for one in compared if one["begun"] == begun]
        for models in zip(*here, strict=True):
            row: dict[str, Any] = {"model": models[0]["model"], "begun": begun}
            for name in _SCORES:
                values = [model[name][0] for model in models if model[name] is not None]
                row[name] = [round(statistics.fmean(values), 4)] if values else None
            found.append(row)
    return found


def _show(bench: Bench, name: str, begun: int, models: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [model["model"], *("–" if model[score] is None else f"{model[score][0]:.2f}" for score in _SCORES)]
        for model in models
    ]
    title = f"curve-models: {name}, {begun} trials begun"
    bench.table(title, ["model", *_SCORES.values()], rows, [])
