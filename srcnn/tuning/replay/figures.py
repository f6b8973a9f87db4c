"""The figures of a replay as plain data: of one table, and over several.

Regret is told at shares of what a table costs, so that tables of different sizes can be averaged. Over several tables the mean
of their regrets has the interval of a mean of independent ones, each with its own error; compute has the geometric mean of the
ratios. Both intervals are over repetitions, on these tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.replay.regret import Interval, Summary, ratio, summarize, worst_regret
from srcnn.tuning.replay.simulator import Trace, table_cost

__all__ = ["SHARES", "Replayed", "figures", "over_tables", "plain", "table_data"]

#: Of the compute that every configuration trained once costs: where regret is told.
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

#: What compute is compared with.
_OTHERS = ("stock", "stock-same-rungs", "random")


@dataclass(frozen=True)
class Replayed:
    """A table with the repetitions that ran on it."""

    name: str
    table: CurveTable
    truth: TableTruth
    traces: dict[tuple[str, int], list[Trace]] = field(default_factory=dict)  #: by method and workers

    def summary(self, method: str, workers: int) -> Summary:
        """Figures of one method."""
        at = [share * table_cost(self.table) for share in SHARES]
        return summarize(method, workers, self.traces[method, workers], at, worst_regret(self.truth, self.table))


def of_others(replayed: Sequence[Replayed], method: str, workers: int) -> dict[str, Interval]:
    """Median compute as a share of some other methods', where they ran."""
    return {
        other: ratio([r.traces[method, workers] for r in replayed], [r.traces[other, workers] for r in replayed])
        for other in _OTHERS
        if all((other, workers) in r.traces for r in replayed)
    }


def table_data(replayed: Replayed) -> dict[str, Any]:
    """What must be known of a table to read its figures."""
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
    """A line of figures for each method and number of workers."""
    lines = []
    for count in workers:
        for method in methods:
            summary = asdict(replayed.summary(method.name, count))
            summary["never"] = 1 - summary["reached"][0]
            more = {"sampler": method.sampler, "scheduler": method.scheduler}
            lines.append({**summary, **more, "of": of_others([replayed], method.name, count)})
    return lines


def over_tables(
    replayed: Sequence[Replayed], methods: Sequence[Method], workers: Sequence[int]
) -> list[dict[str, Any]]:
    """The same over some tables, each counted alike."""
    lines = []
    for count in workers:
        for method in methods:
            some = [one.summary(method.name, count) for one in replayed]
            lines.append(
                {
                    "method": method.name,
                    "workers": count,
                    "tables": len(some),
                    "shares": SHARES,
                    "regret": [_mean([s.regret[i] for s in some]) for i in range(len(SHARES))],
                    "reached": float(np.mean([s.reached[0] for s in some])),
                    "of": of_others(replayed, method.name, count),
                }
            )
    return lines


def _mean(intervals: Sequence[Interval]) -> Interval:
    """The mean of independent means."""
    middle = float(np.mean([interval[0] for interval in intervals]))
    half = math.sqrt(sum(((high - low) / 2) ** 2 for _, low, high in intervals)) / len(intervals)
    return middle, middle - half, middle + half


def plain(value: Any) -> Any:
    """The same data with null for what JSON has no word for."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
