"""Compare samplers and schedulers on recorded learning curves: hundreds of searches in a minute, with 1 to 1000 workers.

    python experiments/replay.py
    python experiments/replay.py --methods ours,stock,gp+median --workers 4 --plot regret.png
    python experiments/replay.py --tables experiments/results/grid-x3.csv.gz my.csv.gz
    python experiments/replay.py --search NAME --scale 3

A method is one of the names below, or SAMPLER+SCHEDULER with the names of experiments/search.py:
  ours              this project's search
  pausing           the same with the scheduler freeze-thaw, whose trials pause and continue
  stock             Tune's OptunaSearch and ASHAScheduler with their defaults
  stock-same-rungs  the same with this project's rungs
  tpe               Optuna's TPE, no early stopping
  top-k             random configurations for one epoch, then the best 3 of every 24 to the end (arXiv:2307.15422); any other
                    numbers: random+top-K-of-N
  random+hyperband, random+asha, random
  smac              SMAC3's multi-fidelity search, if the package smac is installed; seconds for each repetition
Tables come from experiments/record.py, or with --search from the trials of a past search in MLflow.

The first output is the regret of the incumbent in dB, judged by runs that the search did not see, after 10, 25, 50 and 100 % of
the compute that random search needs to find one of the best (median), or, without random search, after fractions of the cost of
the table. The second is the compute until the incumbent is one of the best: not worse than the best by more than the noise of
the comparison; with two shares of the repetitions, by their ends. "best lost": one of the best was begun and none of them was
finished. "top dropped": the highest of all runs that were begun was not finished. The third is this compute as a ratio to that of
other methods.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from srcnn.commands.main import end_without_platform

if __name__ == "__main__":  # what is imported below needs the platform
    end_without_platform("replay")

from rich.console import Console

from srcnn.commands.command_line import Parser, run
from srcnn.errors import ConfigError
from srcnn.system.atomic_file import atomic_write
from srcnn.system.json_file import finite
from srcnn.tuning import configure
from srcnn.tuning.curves.curve_table import read_table
from srcnn.tuning.curves.past_search import past_search
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.replay.figures import RANDOM_SHARES, SHARES, Replayed, figures, over_tables, table_data
from srcnn.tuning.replay.methods import METHODS, Method, parse_method
from srcnn.tuning.replay.regret import processes, repeat
from srcnn.tuning.replay.regret_plot import plot_regret

from _bench.provenance import header
from _bench.replay_tables import WIDTH, print_figures, print_introduction, print_over

_TABLE = Path("experiments/results/grid-x3.csv.gz")
_MOST_WORKERS = 1000


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--tables", type=Path, nargs="+", default=[_TABLE], metavar="FILE", help=f"recorded curves (default: {_TABLE})"
    )
    source.add_argument("--search", metavar="NAME", help="a past search in MLflow, instead of tables")
    parser.add_argument("--scale", type=int, help="scale of the past search (default: its only one)")
    uri = SearchSettings.model_fields["tracking_uri"].default
    parser.add_argument("--tracking-uri", default=uri, help=f"MLflow store (default: {uri})")
    parser.add_argument(
        "--methods", default=",".join(METHODS), help=f"methods, joined by commas (default: {','.join(METHODS)})"
    )
    parser.add_argument(
        "--workers", default="1,8,100", help="numbers of concurrent trials, joined by commas (default: 1,8,100)"
    )
    parser.add_argument(
        "--repetitions", type=int, default=100, help="repetitions per method and worker count (default: 100)"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="difference to the best in dB that counts as equal (default: the noise of the comparison)",
    )
    parser.add_argument(
        "--until-best",
        action="store_true",
        help="end a repetition when one of the best has been found and random search's median compute is spent, which is several "
        "times faster; not for the figures at the end of a repetition",
    )
    parser.add_argument(
        "--switch-seconds",
        type=float,
        default=0.0,
        help="time for which a worker is busy when it resumes a paused trial, in seconds (default: 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed of the first repetition (default: 0)")
    parser.add_argument("--processes", type=int, help="number of concurrent repetitions (default: number of cores)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="file for a plot of regret against compute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the results")
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
    if options.tolerance is not None and not 0 <= options.tolerance < math.inf:
        raise ConfigError(f"--tolerance: must be at least 0 dB, but got {options.tolerance}")
    if not 0 <= options.switch_seconds < math.inf:
        raise ConfigError(f"--switch-seconds: must be at least 0 seconds, but got {options.switch_seconds}")
    if options.seed < 0:
        raise ConfigError(f"--seed: must be at least 0, but got {options.seed}")
    if options.scale is not None and options.search is None:
        raise ConfigError(f"--scale: must be given only with --search, but got {options.scale} without it")
    at_once = options.processes
    if at_once is None:
        at_once = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if at_once < 1:
        raise ConfigError(f"--processes: must be at least 1, but got {at_once}")
    if len(set(options.tables)) < len(options.tables):
        raise ConfigError(f"--tables: must differ, but got {' '.join(map(str, options.tables))}")
    for flag, path in (("--plot", options.plot), ("--json", options.json)):
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{flag}: must lie in a folder that exists, but got {path}")
    if options.until_best and METHODS["random"] not in methods:
        raise ConfigError(f"--until-best: must be used with the method random, but --methods is {options.methods}")
    if options.until_best and options.plot is not None:
        raise ConfigError("--until-best: must be used without --plot, which shows whole repetitions, but got both")
    if options.plot is not None and len(options.tables) > 1:
        raise ConfigError(f"--plot: must be used with one table, but --tables has {len(options.tables)}")
    if options.plot is not None and options.plot.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--plot: must end in .png, .svg or .pdf, but got {options.plot}")
    return methods, _counts(options.workers), at_once


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    methods, workers, at_once = _check(options)
    about = header("replay.py", sys.argv[1:] if argv is None else argv, options.repetitions, options.seed)
    if options.search is not None:
        past = past_search(options.search, options.tracking_uri, options.scale)
        tables = {f"search {options.search}": past}
    else:
        tables = {str(path): read_table(path) for path in options.tables}
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    started = time.perf_counter()
    done = [
        Replayed(name, table, TableTruth.of(table, options.tolerance), whole=not options.until_best)
        for name, table in tables.items()
    ]
    random_first = sorted(methods, key=lambda method: method.name != "random")
    with processes(at_once) as pool:
        for one in done:
            print_introduction(console, one)
            for count in workers:
                for method in random_first:
                    one.traces[method.name, count] = repeat(
                        one.table,
                        method,
                        count,
                        options.repetitions,
                        truth=one.truth,
                        until_best=options.until_best and method.name != "random",
                        at_least=one.random_compute(count) or 0.0,
                        switch_seconds=options.switch_seconds,
                        seed=options.seed,
                        pool=pool,
                    )
                print_figures(console, figures(one, methods, [count]))
    count = sum(len(some) for one in done for some in one.traces.values())
    console.print(f"{count} searches in {time.perf_counter() - started:.0f} s")
    if len(done) > 1:
        for line_workers in workers:
            print_over(console, over_tables(done, methods, [line_workers]))
    if options.plot is not None:
        plot_regret(options.plot, done[0].table, done[0].truth, done[0].traces, _caption(done[0], options.repetitions))
        console.print(f"picture: {options.plot}")
    if options.json is not None:
        _write(options, about, done, methods, workers)
        console.print(f"figures: {options.json}")
    return 0


def _caption(one: Replayed, repetitions: int) -> str:
    told = table_data(one)
    developed = f"; developed on this table: {told['developed_on']}" if told["developed_on"] else ""
    return (
        f"{repetitions} repetitions; bands: Student's 95 % interval of the mean over them; judged by runs that the search did "
        f"not see; grey line: {told['tolerance_db']:.3f} dB, within which {told['among_best']} of {told['configurations']} "
        f"configurations count as the best{developed}"
    )


def _write(
    options: argparse.Namespace,
    about: Mapping[str, Any],
    done: Sequence[Replayed],
    methods: Sequence[Method],
    workers: Sequence[int],
) -> None:
    path: Path = options.json
    content = {
        "provenance": about,
        "intervals": {
            "regret": "dB: mean, low, high at each of the core-seconds under at; Student's t over repetitions",
            "regret_of_random": "the same at random_shares of random_compute: the median compute of random search, or the "
            "cost of the table where it did not arrive in half of its repetitions",
            "reached, lost, dropped": "share of the repetitions, low, high; Wilson's interval; lost: one of the best had an "
            "epoch, and none of the best was finished at the end; dropped: the highest of the runs that had an epoch was not "
            "finished",
            "compute, pixels, clock, of": "median or ratio of medians, low, high; 95 % percentile bootstrap over repetitions; "
            "null: fewer than half arrived",
        },
        "switch_seconds": options.switch_seconds,
        "shares": SHARES,
        "random_shares": RANDOM_SHARES,
        "tables": [{**table_data(one), "figures": figures(one, methods, workers)} for one in done],
        "over_tables": over_tables(done, methods, workers) if len(done) > 1 else [],
    }
    text = json.dumps(finite(content), indent=1) + "\n"
    try:
        with atomic_write(path) as file:
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json: {path} cannot be written ({error.strerror})") from None


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
