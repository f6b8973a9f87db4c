"""Results of a replay as plain data, for one table and over several.

Regret is given at fractions of the cost of a table, so that tables of different sizes can be averaged, and, if random search was
replayed, at fractions of the median compute that random search needs on that table with the same number of workers. Over several
tables, the mean regret has the interval of a mean of independent values with their own errors, and compute has the
geometric mean of the ratios. Both intervals describe repetitions on these tables.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.replay.regret import (
    Interval,
    Summary,
    mean_regret,
    median_compute,
    ratio,
    share,
    summarize,
    worst_regret,
)
from srcnn.tuning.replay.simulator import table_cost
from srcnn.tuning.replay.trace import Trace

__all__ = ["RANDOM_SHARES", "SHARES", "Replayed", "figures", "over_tables", "table_data"]

#: Amounts of compute at which regret is given, as fractions of the cost of training every configuration once.
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

#: Amounts of compute at which regret is given, as fractions of what random search needs.
RANDOM_SHARES = (0.1, 0.25, 0.5, 1.0)

#: What only whole repetitions tell.
_WHOLE = ("at", "regret", "shares", "dropped", "trials", "resumed")

#: Methods with which compute is compared.
_OTHERS = ("random", "random+asha", "top-k", "pausing", "stock-same-rungs", "stock")


@dataclass(frozen=True)
class Replayed:
    """A table and the repetitions on it."""

    name: str
    table: CurveTable
    truth: TableTruth
    traces: dict[tuple[str, int], list[Trace]] = field(
        default_factory=dict
    )  #: repetitions by method and number of workers
    whole: bool = True  #: whether every repetition was run to its end; False: until one of the best was found

    def summary(self, method: str, workers: int) -> Summary:
        """Return the results of one method."""
        at = [part * table_cost(self.table) for part in SHARES]
        return summarize(method, workers, self.traces[method, workers], at, worst_regret(self.truth, self.table))

    def random_compute(self, workers: int) -> float | None:
        """Return the median compute of random search until one of the best is found, in core-seconds.

        If it finds none in half of its repetitions, this is the cost of the table; None: random search was not replayed.
        """
        if ("random", workers) not in self.traces:
            return None
        needed = median_compute(self.traces["random", workers])
        return needed if math.isfinite(needed) else table_cost(self.table)

    def regret_of_random(self, method: str, workers: int) -> tuple[Interval, ...] | None:
        """Return the mean regret of a method in dB at `RANDOM_SHARES` of `random_compute`; None without random search."""
        needed = self.random_compute(workers)
        if needed is None:
            return None
        at = [part * needed for part in RANDOM_SHARES]
        return mean_regret(self.traces[method, workers], at, worst_regret(self.truth, self.table))


def of_others(replayed: Sequence[Replayed], method: str, workers: int) -> dict[str, Interval]:
    """Return the median compute as a ratio to that of other methods, if they were replayed."""
    return {
        other: ratio([r.traces[method, workers] for r in replayed], [r.traces[other, workers] for r in replayed])
        for other in _OTHERS
        if all((other, workers) in r.traces for r in replayed)
    }


def table_data(replayed: Replayed) -> dict[str, Any]:
    """Return the properties of a table that are needed to interpret its results."""
    table, truth = replayed.table, replayed.truth
    return {
        "table": replayed.name,
        "developed_on": table.about.get("developed_on", False),
        "configurations": len(table.params),
        "runs": sum(map(len, table.curves)),
        "scale": table.scale,
        "cost_core_seconds": table_cost(table),
        "best_db": truth.best,
        "noise_of_a_run_db": truth.noise,
        "noise_of_a_mean_db": truth.noise / math.sqrt(np.median([len(curves) for curves in table.curves])),
        "degrees_of_freedom": truth.degrees,
        "tolerance_db": truth.usual_tolerance,
        "among_best": int(truth.among_best.sum()),
        "about": {name: value for name, value in table.about.items() if name != "developed_on"},
    }


def figures(replayed: Replayed, methods: Sequence[Method], workers: Sequence[int]) -> list[dict[str, Any]]:
    """Return one entry of results per method and number of workers."""
    lines = []
    for count in workers:
        for method in methods:
            summary = asdict(replayed.summary(method.name, count))
            summary["never"] = 1 - summary["reached"][0]
            more = {
                "sampler": method.sampler,
                "scheduler": method.scheduler,
                "random_compute": replayed.random_compute(count),
                "regret_of_random": replayed.regret_of_random(method.name, count),
                "of": of_others([replayed], method.name, count),
            }
            lines.append(_known({**summary, **more}, replayed.whole))
    return lines


def over_tables(
    replayed: Sequence[Replayed], methods: Sequence[Method], workers: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the same results over several tables with equal weights."""
    lines = []
    for count in workers:
        for method in methods:
            some = [one.summary(method.name, count) for one in replayed]
            early = [found for one in replayed if (found := one.regret_of_random(method.name, count)) is not None]
            traces = [trace for one in replayed for trace in one.traces[method.name, count]]
            line = {
                "method": method.name,
                "workers": count,
                "tables": len(some),
                "shares": SHARES,
                "regret": [_mean([s.regret[i] for s in some]) for i in range(len(SHARES))],
                "regret_of_random": [_mean(each) for each in zip(*early, strict=True)] or None,
                "reached": float(np.mean([s.reached[0] for s in some])),
                "lost": share(sum(trace.lost for trace in traces), len(traces)),
                "dropped": share(sum(trace.dropped for trace in traces), len(traces)),
                "of": of_others(replayed, method.name, count),
            }
            lines.append(_known(line, all(one.whole for one in replayed)))
    return lines


def _known(line: dict[str, Any], whole: bool) -> dict[str, Any]:
    """Return a line without the figures that repetitions do not tell if they ended early."""
    return {name: value for name, value in line.items() if whole or name not in _WHOLE}


def _mean(intervals: Sequence[Interval]) -> Interval:
    """Return the mean of independent means, with its interval."""
    middle = float(np.mean([interval[0] for interval in intervals]))
    half = math.sqrt(sum(((high - low) / 2) ** 2 for _, low, high in intervals)) / len(intervals)
    return middle, middle - half, middle + half
