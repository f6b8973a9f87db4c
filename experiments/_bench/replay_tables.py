"""Tables that experiments/replay.py prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from srcnn.tuning.replay.figures import RANDOM_SHARES, Replayed, table_data
from srcnn.tuning.replay.regret import Interval

__all__ = ["WIDTH", "print_figures", "print_introduction", "print_over"]

WIDTH = 100  #: characters of a line where the output is no terminal
_LONG = 50  # core-seconds above which decimals are left out
_RATIOS = 4  # ratios to other methods that fit into such a line


def _interval(values: Sequence[float], digits: int) -> str:
    def show(value: float) -> str:
        return "–" if math.isnan(value) else "never" if math.isinf(value) else f"{value:.{digits}f}"

    middle, low, high = values
    return show(middle) if math.isnan(middle) else f"{show(middle)} [{show(low)}, {show(high)}]"


def print_introduction(console: Console, one: Replayed) -> None:
    """Print what a table is, and what counts as the best there."""
    told = table_data(one)
    source = told["about"].get("source") or one.name
    console.print(f"{source}: {told['configurations']} configurations, {told['runs']} runs at x{told['scale']}")
    if told["about"].get("partial"):
        console.print(f"{told['about']['partial']} runs ended early; from there on each keeps its last value")
    if told["developed_on"]:
        console.print(f"developed on this table, whose figures flatter it: {told['developed_on']}")
    if math.isnan(one.truth.noise):
        console.print(
            "no configuration ran twice: the figures are those of the runs that the search saw, luck included"
        )
    else:
        console.print(
            f"best {told['best_db']:.3f} dB over bicubic; a run varies by {told['noise_of_a_run_db']:.3f} dB between seeds, "
            f"a configuration's mean by {told['noise_of_a_mean_db']:.3f}"
        )
    console.print(
        f"within {told['tolerance_db']:.3f} dB counts as one of the best, which {told['among_best']} configurations are; "
        f"a search ends at {told['cost_core_seconds']:.0f} core-s, what all of them cost, or a hundred where there are fewer"
    )


def _heading(lines: Sequence[Mapping[str, Any]], what: str) -> str:
    workers = lines[0]["workers"]
    return f"{workers} worker{'s' * (workers > 1)}: {what}"


def _spread(interval: Interval) -> str:
    """Return a mean with half the width of its interval, which is symmetric."""
    middle, low, high = interval
    return f"{middle:.3f} ±{(high - low) / 2:.3f}"


def _regret(console: Console, lines: Sequence[Mapping[str, Any]], heads: Sequence[str], key: str, after: str) -> None:
    title = _heading(lines, f"regret in dB after {after}, mean ±95 % over repetitions")
    shown = Table(title=title, title_justify="left")
    shown.add_column("method")
    for head in heads:
        shown.add_column(head, justify="right")
    for line in lines:
        shown.add_row(line["method"], *map(_spread, line[key]))
    console.print(shown)


def _ratios(console: Console, lines: Sequence[Mapping[str, Any]], what: str) -> None:
    others = list(dict.fromkeys(other for line in lines for other in line["of"]))
    for start in range(0, len(others), _RATIOS):
        some = others[start : start + _RATIOS]
        shown = Table(title=_heading(lines, what), title_justify="left")
        shown.add_column("method")
        for other in some:
            shown.add_column(f"{other}'s", justify="right")
        for line in lines:
            shown.add_row(line["method"], *(_interval(line["of"][other], 2) for other in some))
        console.print(shown)


def _share(interval: Interval) -> str:
    middle, low, high = interval
    return f"{middle:.0%} [{low:.0%}, {high:.0%}]"


def print_figures(console: Console, lines: Sequence[Mapping[str, Any]]) -> None:
    """Print the results on one table with one number of workers, as `srcnn.tuning.replay.figures.figures` gives them."""
    needed = lines[0]["random_compute"]
    if needed is None:
        _regret(console, lines, [f"{compute:.0f} core-s" for compute in lines[0]["at"]], "regret", "so much compute")
    else:
        heads = [f"{share:.0%}: {share * needed:.3g} core-s" for share in RANDOM_SHARES]
        _regret(console, lines, heads, "regret_of_random", "a share of random's compute")
    shown = Table(title=_heading(lines, "until one of the best is found"), title_justify="left")
    shown.add_column("method")
    for head in ("core-s [95 %]", "reached", "best lost", "top dropped", "clock, s", "trials"):
        shown.add_column(head, justify="right")
    digits = 0 if max(line["compute"][0] for line in lines) > _LONG else 1  # also if one never arrives
    for line in lines:
        shown.add_row(
            line["method"],
            _interval(line["compute"], digits),
            f"{line['reached'][0]:.0%}",
            _share(line["lost"]),
            _share(line["dropped"]) if "dropped" in line else "–",
            _interval(line["clock"], digits).partition(" ")[0],
            f"{line['trials']:.0f}" if "trials" in line else "–",
        )
    console.print(shown)
    _ratios(console, lines, "compute until one of the best, as a ratio to")
    nearest = max(line["nearest"] for line in lines)
    if nearest:
        console.print(
            f"  up to {nearest:.0%} of the suggestions are not in the table; the nearest configuration stood for them"
        )


def print_over(console: Console, lines: Sequence[Mapping[str, Any]]) -> None:
    """Print the results over several tables, as `srcnn.tuning.replay.figures.over_tables` gives them."""
    console.print(
        f"over {lines[0]['tables']} tables, each counted alike; intervals are over repetitions, not over tables"
    )
    if lines[0]["regret_of_random"] is None:
        _regret(
            console, lines, [f"{share:.0%}" for share in lines[0]["shares"]], "regret", "a share of the grid's cost"
        )
    else:
        heads = [f"{share:.0%}" for share in RANDOM_SHARES]
        _regret(console, lines, heads, "regret_of_random", "a share of random's compute")
    shown = Table(title=_heading(lines, "share of the repetitions"), title_justify="left")
    shown.add_column("method")
    for head in ("one of the best found", "best lost [95 %]", "top dropped [95 %]"):
        shown.add_column(head, justify="right")
    for line in lines:
        shown.add_row(
            line["method"],
            f"{line['reached']:.0%}",
            _share(line["lost"]),
            _share(line["dropped"]) if "dropped" in line else "–",
        )
    console.print(shown)
    _ratios(console, lines, "compute until one of the best, geometric mean of the ratios to")
