"""Statistics over repetitions of a replay: regret against compute, and compute until one of the best configurations is found.

Regret is given as a mean with Student's interval over the repetitions. Compute is given as a median, because a
repetition may never reach one of the best, and infinite values have no mean. The interval of a median, or of the ratio
of two medians, contains 95 of 100 bootstrap values (percentile method; Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13). That of a fraction of the repetitions is Wilson's (Journal of the American
Statistical Association 22, 1927). All intervals are over repetitions on one table; they do not predict the results on
another table.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from srcnn.tuning.adapters.environment import temporarily
from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.replay.trace import Trace

__all__ = [
    "Interval",
    "Summary",
    "bands",
    "mean_regret",
    "median_compute",
    "processes",
    "ratio",
    "repeat",
    "share",
    "summarize",
    "worst_regret",
]

_DRAWS = 2000  # number of bootstrap samples
_CHUNK = 10  # repetitions per task of a process

Interval = tuple[float, float, float]  # middle, low, high


def repeat(
    table: CurveTable,
    method: Method,
    workers: int,
    repetitions: int,
    *,
    truth: TableTruth | None = None,
    until_best: bool = False,
    at_least: float = 0.0,
    switch_seconds: float = 0.0,
    seed: int = 0,
    pool: Executor | None = None,
) -> list[Trace]:
    """Run repetitions with the seeds ``seed``, ``seed + 1``, ... A pool of processes does not change the results.

    The other arguments are those of `srcnn.tuning.replay.simulator.replay`.
    """
    truth = TableTruth.of(table) if truth is None else truth
    options = {"until_best": until_best, "at_least": at_least, "switch_seconds": switch_seconds}
    one = partial(_one, table, truth, method, workers, options)
    seeds = range(seed, seed + repetitions)
    return [one(s) for s in seeds] if pool is None else list(pool.map(one, seeds, chunksize=_CHUNK))


@contextmanager
def processes(count: int) -> Iterator[Executor | None]:
    """Yield a pool of processes for `repeat`; None for one process, which is the current one."""
    if count == 1:
        yield None
        return
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    one_thread = {name: os.environ.get(name, "1") for name in names}  # several processes share the cores
    # Not with fork, because Ray and torch use threads.
    with temporarily(one_thread), ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _one(
    table: CurveTable, truth: TableTruth, method: Method, workers: int, options: Mapping[str, Any], seed: int
) -> Trace:
    return replay(table, method, workers, seed, truth=truth, **options)


@dataclass(frozen=True)
class Summary:
    """Results of the repetitions of one method with one number of workers."""

    method: str
    workers: int
    repetitions: int
    at: tuple[float, ...]  #: amounts of compute at which regret is given, in core-seconds
    regret: tuple[Interval, ...]  #: mean regret at each of them, in dB
    reached: Interval  #: fraction of the repetitions that found one of the best
    compute: Interval  #: compute until then, in core-seconds; infinite if fewer than half found one
    pixels: Interval  #: target pixels until then
    clock: Interval  #: wall time until then, in seconds
    lost: Interval  #: fraction of the repetitions that began one of the best and finished none of them
    dropped: Interval  #: fraction of the repetitions that did not finish the highest of the runs that they began
    trials: float  #: mean number of trials per repetition
    resumed: float  #: mean number of times per repetition that a paused trial continued
    nearest: float  #: fraction of the suggestions replaced by the nearest configuration


def worst_regret(truth: TableTruth, table: CurveTable) -> float:
    """Return the regret before any trial has finished, in dB: that of the worst configuration without a failed run."""
    return truth.best - float(table.quality[np.isfinite(table.quality)].min())


def summarize(method: str, workers: int, traces: Sequence[Trace], at: Sequence[float], worst: float) -> Summary:
    """Compute the results of some repetitions.

    Args:
        method: name of the method.
        workers: number of concurrent trials.
        traces: the repetitions, at least two.
        at: amounts of compute at which regret is given, in core-seconds, ascending.
        worst: regret before any trial has finished, in dB.
    """
    steps = [trace.reached() for trace in traces]

    def of(value: Callable[[int], float]) -> Interval:
        return _median(np.array([math.inf if step is None else value(i) for i, step in enumerate(steps)]))

    found = {i: step for i, step in enumerate(steps) if step is not None}
    trials = sum(trace.trials for trace in traces)
    return Summary(
        method,
        workers,
        len(traces),
        tuple(at),
        mean_regret(traces, at, worst),
        share(len(found), len(traces)),
        of(lambda i: found[i].compute),
        of(lambda i: found[i].pixels),
        of(lambda i: found[i].clock),
        share(sum(trace.lost for trace in traces), len(traces)),
        share(sum(trace.dropped for trace in traces), len(traces)),
        trials / len(traces),
        sum(trace.resumed for trace in traces) / len(traces),
        sum(trace.nearest for trace in traces) / max(1, trials),
    )


def share(count: int, total: int) -> Interval:
    """Return a fraction of repetitions with Wilson's interval."""
    found = binomtest(count, total).proportion_ci(method="wilson")
    return count / total, float(found.low), float(found.high)


def median_compute(traces: Sequence[Trace]) -> float:
    """Return the median compute until one of the best is found, in core-seconds; infinite if fewer than half found one."""
    return float(np.median(_compute(traces)))


def _compute(traces: Sequence[Trace]) -> NDArray[np.float64]:
    """Return the compute until each repetition found one of the best, in core-seconds; infinite if it never did."""
    return np.array([math.inf if (step := trace.reached()) is None else step.compute for trace in traces])


def _medians(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    source = np.random.default_rng(seed)
    return np.array(np.median(source.choice(values, (_DRAWS, len(values))), axis=1))


def _median(values: NDArray[np.float64]) -> Interval:
    low, high = _percentiles(_medians(values, 0))
    return float(np.median(values)), low, high


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    # No interpolation, because it gives NaN between two infinite values.
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)


def ratio(ours: Sequence[Sequence[Trace]], theirs: Sequence[Sequence[Trace]]) -> Interval:
    """Return the median compute of one method divided by that of another, as geometric mean over tables.

    Args:
        ours: repetitions of one method on each table.
        theirs: repetitions of the other method on the same tables, in the same order.

    Returns:
        The ratio with its bootstrap interval; NaN if on some table the other method was not successful in half of its
        repetitions.
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


def mean_regret(traces: Sequence[Trace], at: Sequence[float], worst: float) -> tuple[Interval, ...]:
    """Return the mean regret in dB with its interval at some amounts of compute; the arguments are those of `bands`."""
    band = bands(traces, np.array(at), worst)
    found = zip(band["mean"], band["low"], band["high"], strict=True)
    return tuple((float(mean), float(low), float(high)) for mean, low, high in found)


def bands(traces: Sequence[Trace], at: NDArray[np.float64], worst: float) -> Mapping[str, NDArray[np.float64]]:
    """Return the ``mean`` regret over repetitions at some amounts of compute, and Student's 95 % interval, ``low`` and ``high``.

    Args:
        traces: the repetitions, at least two.
        at: amounts of compute, in core-seconds, ascending.
        worst: regret of a repetition before any trial has finished, in dB.
    """
    rows = np.array([[trace.regret(float(compute), worst) for compute in at] for trace in traces])
    mean = rows.mean(axis=0)
    half = float(t.ppf(0.975, len(rows) - 1)) * rows.std(axis=0, ddof=1) / math.sqrt(len(rows))
    return {"mean": mean, "low": mean - half, "high": mean + half}
