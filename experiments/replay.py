"""Compare samplers and schedulers on recorded curves: hundreds of searches in a minute, with 1 to 1000 workers.

    python experiments/replay.py
    python experiments/replay.py --methods ours,stock,gp+median --workers 4 --plot regret.png
    python experiments/replay.py --search NAME --scale 3

A method is one of ours, stock, tpe, random+asha, random, or SAMPLER+SCHEDULER by the names of experiments/search.py.
stock: Tune's OptunaSearch and ASHAScheduler as they come. The table is one of experiments/record.py, or with --search the
trials of a past search in MLflow.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from srcnn.errors import ConfigError
from srcnn.files import atomic_write
from srcnn.tuning.curves import CurveTable, read_table
from srcnn.tuning.past import past_search
from srcnn.tuning.regret import Summary, processes, ratio, repeat, summarize
from srcnn.tuning.regret_plot import plot_regret
from srcnn.tuning.replay import METHODS, Method, Trace, parse_method
from srcnn.tuning.settings import SearchSettings
from srcnn.tuning.tracking import environment_tags

from _command import Parser, run

_TABLE = Path("experiments/results/grid-x3.csv.gz")
_MOST_WORKERS = 1000


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--table", type=Path, default=_TABLE, help=f"recorded curves (default: {_TABLE})")
    source.add_argument("--search", metavar="NAME", help="a past search in MLflow instead")
    parser.add_argument("--scale", type=int, help="which scale of a past search (default: its only one)")
    uri = SearchSettings.model_fields["tracking_uri"].default
    parser.add_argument("--tracking-uri", default=uri, help=f"MLflow store (default: {uri})")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"joined by commas (default: {','.join(METHODS)})")
    parser.add_argument("--workers", default="1,8,100", help="trials at a time, joined by commas (default: 1,8,100)")
    parser.add_argument("--repetitions", type=int, default=200, help="of each method and worker count (default: 200)")
    parser.add_argument(
        "--tolerance", type=float, default=0.02, help="dB below the table's best that count as reached (default: 0.02)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first repetition (default: 0)")
    parser.add_argument("--processes", type=int, help="repetitions at a time (default: the cores there are)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="picture of regret against compute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures go")
    return parser


def _counts(text: str) -> list[int]:
    counts = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if not all(1 <= count <= _MOST_WORKERS for count in counts):
        raise ConfigError(f"--workers: must be numbers from 1 to {_MOST_WORKERS} joined by commas, but got {text!r}")
    return list(dict.fromkeys(counts))


def _check(options: argparse.Namespace) -> tuple[list[Method], list[int], int]:
    methods = list(dict.fromkeys(parse_method(part.strip()) for part in options.methods.split(",")))
    if options.repetitions < 2:
        raise ConfigError(f"--repetitions: must be at least 2, but got {options.repetitions}")
    if not 0 <= options.tolerance < math.inf:
        raise ConfigError(f"--tolerance: must be a number of dB from 0, but got {options.tolerance}")
    if options.seed < 0:
        raise ConfigError(f"--seed: must be at least 0, but got {options.seed}")
    if options.scale is not None and options.search is None:
        raise ConfigError(f"--scale: belongs to --search, but got {options.scale} without it")
    at_once = options.processes
    if at_once is None:
        at_once = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if at_once < 1:
        raise ConfigError(f"--processes: must be at least 1, but got {at_once}")
    for flag, path in (("--plot", options.plot), ("--json", options.json)):
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{flag}: must lie in a folder that exists, but got {path}")
    if options.plot is not None and options.plot.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--plot: must end in .png, .svg or .pdf, but got {options.plot}")
    return methods, _counts(options.workers), at_once


def _interval(values: Sequence[float], digits: int) -> str:
    def show(value: float) -> str:
        return "–" if math.isnan(value) else "never" if math.isinf(value) else f"{value:.{digits}f}"

    middle, low, high = values
    return show(middle) if math.isnan(middle) else f"{show(middle)} [{show(low)}, {show(high)}]"


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    methods, workers, at_once = _check(options)
    if options.search is not None:
        table = past_search(options.search, options.tracking_uri, options.scale)
    else:
        table = read_table(options.table)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    source = table.about.get("source") or options.table
    console.print(f"{source}: {len(table.params)} configurations, {sum(map(len, table.curves))} runs at x{table.scale}")
    if table.about.get("partial"):
        console.print(f"{table.about['partial']} runs ended early; from there on each keeps its last value")
    started = time.perf_counter()
    # A picture shows what comes after the tolerance, too.
    until = 0.0 if options.plot is not None else options.tolerance
    traces: dict[tuple[str, int], list[Trace]] = {}
    with processes(at_once) as pool:
        for count in workers:
            for method in methods:
                traces[method.name, count] = repeat(
                    table, method, count, options.repetitions, until=until, seed=options.seed, pool=pool
                )
            _print(console, methods, count, traces, options.tolerance)
    seconds = time.perf_counter() - started
    console.print(f"{len(traces) * options.repetitions} searches in {seconds:.0f} s")
    if options.plot is not None:
        near = int((table.quality >= table.quality.max() - options.tolerance).sum())
        caption = (
            f"{options.repetitions} repetitions; bands: 95 % bootstrap interval of the mean; grey line: "
            f"{options.tolerance:g} dB, which {near} of {len(table.params)} configurations keep"
        )
        plot_regret(options.plot, table, traces, options.tolerance, caption)
        console.print(f"picture: {options.plot}")
    if options.json is not None:
        _write(options, table, methods, workers, traces)
        console.print(f"figures: {options.json}")
    return 0


def _print(
    console: Console,
    methods: Sequence[Method],
    workers: int,
    traces: dict[tuple[str, int], list[Trace]],
    tolerance: float,
) -> None:
    rows = [
        (method.name, summarize(method.name, workers, traces[method.name, workers], tolerance)) for method in methods
    ]
    shown = Table(
        title=f"{workers} worker{'s' * (workers > 1)}, within {tolerance:g} dB of the best", title_justify="left"
    )
    shown.add_column("method")
    for head in ("compute, core-s [95 %]", "of stock's", "of random's", "reached", "clock, s", "trials"):
        shown.add_column(head, justify="right")
    for name, summary in rows:
        ratios = [_ratio(traces, name, other, workers, tolerance) for other in ("stock", "random")]
        shown.add_row(
            name,
            _interval(summary.compute, 0),
            *(_interval(value, 2) for value in ratios),
            f"{summary.reached:.0%}",
            _interval(summary.clock, 0).partition(" ")[0],
            f"{summary.trials:.0f}",
        )
    console.print(shown)
    nearest = max(summary.nearest for _, summary in rows)
    if nearest:
        console.print(
            f"  up to {nearest:.0%} of the suggestions are not in the table; the nearest configuration stood for them"
        )


def _ratio(
    traces: dict[tuple[str, int], list[Trace]], name: str, other: str, workers: int, tolerance: float
) -> tuple[float, float, float]:
    if (other, workers) not in traces:
        return math.nan, math.nan, math.nan
    return ratio(traces[name, workers], traces[other, workers], tolerance)


def _write(
    options: argparse.Namespace,
    table: CurveTable,
    methods: Sequence[Method],
    workers: Sequence[int],
    traces: dict[tuple[str, int], list[Trace]],
) -> None:
    figures: list[dict[str, Any]] = []
    for count in workers:
        for method in methods:
            summary: Summary = summarize(method.name, count, traces[method.name, count], options.tolerance)
            figures.append(
                {
                    **asdict(summary),
                    "sampler": method.sampler,
                    "scheduler": method.scheduler,
                    "of_stock": _ratio(traces, method.name, "stock", count, options.tolerance),
                    "of_random": _ratio(traces, method.name, "random", count, options.tolerance),
                }
            )
    about = {
        "table": table.about,
        "configurations": len(table.params),
        "runs": sum(map(len, table.curves)),
        "within_tolerance": int((table.quality >= table.quality.max() - options.tolerance).sum()),
        "tolerance_db": options.tolerance,
        "seed": options.seed,
        "environment": {k: v for k, v in environment_tags().items() if k != "mlflow.user"},
        "intervals": "median, low, high; 95 % percentile bootstrap over repetitions; null: fewer than half arrived",
    }
    text = json.dumps(_finite({**about, "figures": figures}), indent=1) + "\n"
    try:
        with atomic_write(options.json) as file:
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json: {options.json} cannot be written ({error.strerror})") from None


def _finite(value: Any) -> Any:
    """The same data with null for what JSON has no word for."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
