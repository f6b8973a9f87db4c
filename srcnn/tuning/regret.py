"""Many repetitions of a replay, and what they say: compute until a good configuration, and regret against compute.

Medians, since a repetition may never arrive, and an infinite value has no mean. The interval around a median, or around the
ratio of two, holds 95 of 100 bootstrap values (percentile method; Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, chapter 13).
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

from srcnn.tuning.curves import CurveTable
from srcnn.tuning.replay import Method, Trace, replay

__all__ = ["Summary", "bands", "processes", "ratio", "repeat", "summarize"]

_DRAWS = 2000  # of the bootstrap
_CHUNK = 10  # repetitions a process is given at a time

Interval = tuple[float, float, float]  # median, low, high


def repeat(
    table: CurveTable,
    method: Method,
    workers: int,
    repetitions: int,
    *,
    until: float = 0.0,
    seed: int = 0,
    pool: Executor | None = None,
) -> list[Trace]:
    """Repetitions with the seeds ``seed``, ``seed + 1``, ...; the same with a pool of processes as without."""
    one = partial(_one, table, method, workers, until)
    seeds = range(seed, seed + repetitions)
    return [one(s) for s in seeds] if pool is None else list(pool.map(one, seeds, chunksize=_CHUNK))


@contextmanager
def processes(count: int) -> Iterator[Executor | None]:
    """A pool for `repeat`; None for one process, which is this one."""
    if count == 1:
        yield None
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # several processes share few cores
    # Not by fork: Ray and torch have threads.
    with ProcessPoolExecutor(count, multiprocessing.get_context("spawn")) as pool:
        yield pool


def _one(table: CurveTable, method: Method, workers: int, until: float, seed: int) -> Trace:
    return replay(table, method, workers, seed, until)


@dataclass(frozen=True)
class Summary:
    """What the repetitions of one method with one number of workers needed to come within a tolerance."""

    method: str
    workers: int
    repetitions: int
    reached: float  #: share of the repetitions
    compute: Interval  #: core-seconds; infinite where fewer than half arrived
    pixels: Interval  #: target pixels
    clock: Interval  #: seconds from start to arrival
    trials: float  #: mean number of trials of a repetition
    nearest: float  #: share of the suggestions that another configuration stood for


def summarize(method: str, workers: int, traces: Sequence[Trace], tolerance: float) -> Summary:
    """Figures of some repetitions."""
    steps = [trace.first(tolerance) for trace in traces]

    def of(value: Callable[[int], float]) -> Interval:
        return _median(np.array([math.inf if step is None else value(i) for i, step in enumerate(steps)]))

    found = {i: step for i, step in enumerate(steps) if step is not None}
    trials = sum(trace.trials for trace in traces)
    return Summary(
        method,
        workers,
        len(traces),
        len(found) / len(traces),
        of(lambda i: found[i].compute),
        of(lambda i: found[i].pixels),
        of(lambda i: found[i].clock),
        trials / len(traces),
        sum(trace.nearest for trace in traces) / max(1, trials),
    )


def compute_to(traces: Sequence[Trace], tolerance: float) -> NDArray[np.float64]:
    """Core-seconds until each repetition came within a tolerance, infinite where it never did."""
    return np.array([math.inf if (step := trace.first(tolerance)) is None else step.compute for trace in traces])


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


def ratio(ours: Sequence[Trace], theirs: Sequence[Trace], tolerance: float) -> Interval:
    """Median compute of one method over that of another; NaN where neither arrived in half its repetitions."""
    mine, other = compute_to(ours, tolerance), compute_to(theirs, tolerance)
    with np.errstate(invalid="ignore"):
        draws = _medians(mine, 1) / _medians(other, 2)
        middle = float(np.median(mine) / np.median(other))
    low, high = _percentiles(draws[~np.isnan(draws)]) if not np.isnan(draws).all() else (math.nan, math.nan)
    return middle, low, high


def bands(traces: Sequence[Trace], at: NDArray[np.float64], worst: float) -> Mapping[str, NDArray[np.float64]]:
    """Regret at some amounts of compute over repetitions: ``mean`` with the bootstrap interval ``low`` to ``high``.

    Args:
        traces: repetitions.
        at: core-seconds, ascending.
        worst: regret in dB of a repetition of which nothing alive has run to its end yet.
    """
    rows = np.full((len(traces), len(at)), worst)
    for row, trace in zip(rows, traces, strict=True):
        for step in trace.steps:
            row[at >= step.compute] = min(step.regret, worst)  # infinite while all that ran to the end are dead
    source = np.random.default_rng(0)
    draws = np.array([rows[source.integers(len(rows), size=len(rows))].mean(axis=0) for _ in range(_DRAWS // 4)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return {"mean": rows.mean(axis=0), "low": low, "high": high}
