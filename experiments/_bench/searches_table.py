"""Figures over the searches of `_bench.searches`, and their table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from srcnn.tuning.trials.intervals import Interval, over_seeds

from _bench.record import Bench

__all__ = ["figures", "show"]

_ALL = "all"
_SAMPLED = 16  # sampled trials over which architectures are counted, as many for every method
_SEARCH = dict[str, Any]


def figures(searches: Mapping[str, _SEARCH]) -> list[dict[str, Any]]:
    """Return the figures of every method for each set and scale, and over all of them.

    A set, scale and seed counts when the winners of all its searches have been measured. Leads are means over searches with
    Student's 95 % interval. ``over``: the lead minus that of another method for the same set, scale and seed.
    """
    done = [one for one in searches.values() if "lead" in one]
    places = dict.fromkeys(f"{one['data']} x{one['scale']}" for one in done)
    methods = dict.fromkeys(one["method"] for one in done)
    found = []
    for place in (*places, *([_ALL] if len(places) > 1 else [])):
        here = [one for one in done if place in (_ALL, f"{one['data']} x{one['scale']}")]
        by_method = {method: [one for one in here if one["method"] == method] for method in methods}
        found += [_row(place, method, by_method) for method in methods]
    return found


def _row(place: str, method: str, by_method: Mapping[str, Sequence[_SEARCH]]) -> dict[str, Any]:
    here = by_method[method]
    leads, late = _leads(here), _leads(here, "overtime_lead")
    kinds = [Counter(one["sampled"][:_SAMPLED]) for one in here]
    shares = [one["core_seconds"] / limit for one in here if (limit := one["budget_core_seconds"])]
    work = [a["giga_macs"] / b["giga_macs"] for a, b in zip(here, by_method["ours"], strict=True) if method != "ours"]
    return {
        "where": place,
        "method": method,
        "n": len(here),
        "lead_db": _interval(leads.values()),
        "overtime_lead_db": _interval(late.values()),
        "over": {
            other: _interval(leads[key] - value for key, value in _leads(rows).items())
            for other, rows in by_method.items()
            if other != method
        },
        "overtime_over": {
            other: _interval(late[key] - value for key, value in _leads(rows, "overtime_lead").items())
            for other, rows in by_method.items()
            if other != method
        },
        "core_seconds": statistics.fmean(one["core_seconds"] for one in here),
        "share_of_core_seconds": statistics.fmean(shares) if shares else 1.0,
        "share_of_macs": statistics.fmean(work) if work else 1.0,
        "trials": statistics.fmean(len(one["trials"]) for one in here),
        "finished_in_time": statistics.fmean(one["finished_in_time"] for one in here),
        "finished": statistics.fmean(one["finished"] for one in here),
        "sampled_counted": _SAMPLED,
        "architectures_mean": statistics.fmean(map(len, kinds)),
        "architectures_min": min(map(len, kinds)),
        "most_of_one_architecture_mean": statistics.fmean(max(kind.values(), default=0) for kind in kinds),
        "most_of_one_architecture_max": max(max(kind.values(), default=0) for kind in kinds),
        "winner_is_reference": sum(one["winner_is_reference"] for one in here),
    }


def _leads(searches: Iterable[_SEARCH], kind: str = "lead") -> dict[tuple[str, int, int], float]:
    return {(one["data"], one["scale"], one["seed"]): one[kind] for one in searches}


def _interval(values: Iterable[float]) -> dict[str, float | None]:
    return over_seeds(np.array([*values])).to_json()


def show(bench: Bench, result: Mapping[str, Any]) -> None:
    """Print the table."""
    rows = []
    for row in result["figures"]:
        cells: list[object] = [row["where"], row["method"], row["n"], Interval.from_json(row["lead_db"]).signed()]
        cells.append(Interval.from_json(row["overtime_lead_db"]).signed())
        cells += [f"{row['architectures_mean']:.1f}, {row['architectures_min']}"]
        cells += [f"{row['most_of_one_architecture_mean']:.1f}, {row['most_of_one_architecture_max']}"]
        cells += [f"{row['trials']:.1f}", f"{row['finished_in_time']:.1f}, {row['finished']:.1f}"]
        rows.append([*cells, f"{row['share_of_core_seconds']:.2f}", row["winner_is_reference"]])
    heads = ["set, scale", "method", "n", "lead, dB", "with overtime, dB", "kinds", "of one kind", "trials", "finished"]
    heads += ["overtime", "paper's"]
    notes = [
        f"default space, {result['budget'] / 1e6:g} million target pixels a trial, ours {result['trials']} trials",
        result["note"],
        "lead: over the paper's network on the test set, three fresh seeds each; means over searches with 95 % intervals",
        "with overtime: trials that ran when the core-seconds of ours were used may finish, which takes the core-seconds of the "
        "column overtime, in those of ours; finished: before that, and with overtime",
        f"kinds: architectures among the first {_SAMPLED} sampled trials, mean and fewest; of one kind: most frequent "
        "kind, mean and most trials; paper's: searches whose winner is the paper's network",
    ]
    bench.table("searches with the same core-seconds", heads, rows, notes)
