"""Results of a replay as plain data, for one table and over several.

Regret is given at fractions of the cost of a table, so that tables of different sizes can be averaged. Over several
tables, the mean regret has the interval of a mean of independent values with their own errors, and compute has the
geometric mean of the ratios. Both intervals describe repetitions on these tables.
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
from srcnn.tuning.replay.simulator import table_cost
from srcnn.tuning.replay.trace import Trace

__all__ = ["SHARES", "Replayed", "figures", "over_tables", "plain", "table_data"]

#: Amounts of compute at which regret is given, as fractions of the cost of training every configuration once.
SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)

#: Methods with which compute is compared.
_OTHERS = ("stock", "stock-same-rungs", "random")


@dataclass(frozen=True)
class Replayed:
    """A table and the repetitions on it."""

    name: str
    table: CurveTable
    truth: TableTruth
    traces: dict[tuple[str, int], list[Trace]] = field(
        default_factory=dict
    )  #: repetitions by method and number of workers

    def summary(self, method: str, workers: int) -> Summary:
        """Return the results of one method."""
        at = [share * table_cost(self.table) for share in SHARES]
        return summarize(method, workers, self.traces[method, workers], at, worst_regret(self.truth, self.table))


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
            more = {"sampler": method.sampler, "scheduler": method.scheduler}
            lines.append({**summary, **more, "of": of_others([replayed], method.name, count)})
    return lines


def over_tables(
    replayed: Sequence[Replayed], methods: Sequence[Method], workers: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the same results over several tables with equal weights."""
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
    """Return the mean of independent means, with its interval."""
    middle = float(np.mean([interval[0] for interval in intervals]))
    half = math.sqrt(sum(((high - low) / 2) ** 2 for _, low, high in intervals)) / len(intervals)
    return middle, middle - half, middle + half


def plain(value: Any) -> Any:
    """Return the same data with None in place of infinite and NaN values, which JSON does not have."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
