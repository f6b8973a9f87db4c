"""Many repetitions of a replay, and what they say: regret against compute, and compute until one of the best is found.

Regret has a mean, with Student's interval over the repetitions. Compute has a median, since a repetition may never arrive, and an
infinite value has no mean; the interval around a median, or around the ratio of two, holds 95 of 100 bootstrap values
(percentile method; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13), and that around the share of
repetitions that arrived is Wilson's (Journal of the American Statistical Association 22, 1927). All of them are over
repetitions on one table: what another table would give they cannot say.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from srcnn.tuning.adapters.environment import temporarily
from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.replay.simulator import Trace, replay

__all__ = ["Interval", "Summary", "bands", "processes", "ratio", "repeat", "summarize", "worst_regret"]

_DRAWS = 2000  # of the bootstrap
_CHUNK = 10  # repetitions a process is given at a time

Interval = tuple[float, float, float]  # middle, low, high


def repeat(
    table: CurveTable,
    method: Method,
    workers: int,
    repetitions: int,
    *,
    truth: TableTruth | None = None,
    until_best: bool = False,
    seed: int = 0,
    pool: Executor | None = None,
) -> list[Trace]:
    """Repetitions with the seeds ``seed``, ``seed + 1``, ...; the same with a pool of processes as without."""
    truth = TableTruth.of(table) if truth is None else truth
    one = partial(_one, table, truth, method, workers, until_best)
    seeds = range(seed, seed + repetitions)
    return [one(s) for s in seeds] if pool is None else list(pool.map(one, seeds, chunksize=_CHUNK))


@contextmanager
def processes(count: int) -> Iterator[Executor | None]:
    """A pool for `repeat`; None for one process, which is this one."""
    if count == 1:
        yield None
        return
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one_thread = {name: os.environ.get(name, "1") for name in names}  # several processes share few cores
    # Not by fork: Ray and torch have threads.
    with temporarily(one_thread), ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _one(table: CurveTable, truth: TableTruth, method: Method, workers: int, until_best: bool, seed: int) -> Trace:
    return replay(table, method, workers, seed, truth=truth, until_best=until_best)


@dataclass(frozen=True)
class Summary:
    """What the repetitions of one method with one number of workers found, and what they needed for it."""

    method: str
    workers: int
    repetitions: int
    at: tuple[float, ...]  #: core-seconds at which regret is told
    regret: tuple[Interval, ...]  #: dB, the mean at each of them
    reached: Interval  #: share of the repetitions that found one of the best
    compute: Interval  #: core-seconds until then; infinite where fewer than half arrived
    pixels: Interval  #: target pixels
    clock: Interval  #: seconds from start to arrival
    trials: float  #: mean number of trials of a repetition
    nearest: float  #: share of the suggestions that another configuration stood for


def worst_regret(truth: TableTruth, table: CurveTable) -> float:
    """Regret in dB of a repetition in which nothing has run to its end: that of the worst configuration that lives."""
    return truth.best - float(table.quality[np.isfinite(table.quality)].min())


def summarize(method: str, workers: int, traces: Sequence[Trace], at: Sequence[float], worst: float) -> Summary:
    """Figures of some repetitions.

    Args:
        method: its name.
        workers: trials at a time.
        traces: the repetitions, at least two.
        at: core-seconds at which regret is told, ascending.
        worst: regret in dB before anything alive has run to its end.
    """
    steps = [trace.reached() for trace in traces]

    def of(value: Callable[[int], float]) -> Interval:
        return _median(np.array([math.inf if step is None else value(i) for i, step in enumerate(steps)]))

    found = {i: step for i, step in enumerate(steps) if step is not None}
    trials = sum(trace.trials for trace in traces)
    band = bands(traces, np.array(at), worst)
    share = binomtest(len(found), len(traces)).proportion_ci(method="wilson")
    return Summary(
        method,
        workers,
        len(traces),
        tuple(at),
        tuple(
            (float(m), float(low), float(high))
            for m, low, high in zip(band["mean"], band["low"], band["high"], strict=True)
        ),
        (len(found) / len(traces), float(share.low), float(share.high)),
        of(lambda i: found[i].compute),
        of(lambda i: found[i].pixels),
        of(lambda i: found[i].clock),
        trials / len(traces),
        sum(trace.nearest for trace in traces) / max(1, trials),
    )


def _compute(traces: Sequence[Trace]) -> NDArray[np.float64]:
    """Core-seconds until each repetition found one of the best, infinite where it never did."""
    return np.array([math.inf if (step := trace.reached()) is None else step.compute for trace in traces])


def _medians(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    source = np.random.default_rng(seed)
    return np.array(np.median(source.choice(values, (_DRAWS, len(values))), axis=1))


def _median(values: NDArray[np.float64]) -> Interval:
    low, high = _percentiles(_medians(values, 0))
    return float(np.median(values)), low, high


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    # No interpolation, which makes a NaN of two infinite values.
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def ratio(ours: Sequence[Sequence[Trace]], theirs: Sequence[Sequence[Trace]]) -> Interval:
    """Median compute of one method over that of another, the geometric mean over some tables.

    Args:
        ours: repetitions of one method on each table.
        theirs: of the other, on the same tables in the same order.

    Returns:
        The ratio with its bootstrap interval; NaN where on some table the other did not arrive in half its repetitions.
    """
    middle, draws = 0.0, np.zeros(_DRAWS)
    with np.errstate(invalid="ignore"):
        for number, (mine, other) in enumerate(zip(map(_compute, ours), map(_compute, theirs), strict=True)):
            middle += float(np.log(np.median(mine)) - np.log(np.median(other)))
            draws += np.log(_medians(mine, 2 * number + 1)) - np.log(_medians(other, 2 * number + 2))
    if any(np.isinf(np.median(_compute(other))) for other in theirs):
        return math.nan, math.nan, math.nan
    middle, draws = math.exp(middle / len(ours)), np.exp(draws / len(ours))
    low, high = _percentiles(draws[~np.isnan(draws)]) if not np.isnan(draws).all() else (math.nan, math.nan)
    return middle, low, high


def bands(traces: Sequence[Trace], at: NDArray[np.float64], worst: float) -> Mapping[str, NDArray[np.float64]]:
    """Regret at some amounts of compute: the ``mean`` over repetitions with Student's 95 % interval ``low`` to ``high``.

    Args:
        traces: repetitions, at least two.
        at: core-seconds, ascending.
        worst: regret in dB of a repetition of which nothing alive has run to its end yet.
    """
    rows = np.array([[trace.regret(float(compute), worst) for compute in at] for trace in traces])
    mean = rows.mean(axis=0)
    half = float(t.ppf(0.975, len(rows) - 1)) * rows.std(axis=0, ddof=1) / math.sqrt(len(rows))
    return {"mean": mean, "low": mean - half, "high": mean + half}
