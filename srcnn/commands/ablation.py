"""Reproduce a table of the paper: train its cells, measure them, and compare them with the paper's figures.

    python experiments/ablation.py --table filter_size
    python experiments/ablation.py --table all --budget smoke
    python experiments/ablation.py --list

The same command resumes an interrupted table; a finished cell is never run twice. Every cell is a run in MLflow, below one
parent run per table. experiments/report.py writes the report.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from srcnn.commands.command_line import Parser, add_fields, given_fields, run
from srcnn.errors import ConfigError
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.system.invocation import command
from srcnn.tuning import configure
from srcnn.tuning.driver.cluster import Cluster
from srcnn.tuning.driver.events import Event
from srcnn.tuning.paper.run_table import TableRun, run_table
from srcnn.tuning.paper.table import load_table, table_files
from srcnn.tuning.paper.table_plan import TablePlan, TableSettings, plan_table
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the existing tables and their questions, and exit")
    add_fields(parser, TableSettings)
    return parser


def _plans(options: argparse.Namespace) -> list[TablePlan]:
    fields = given_fields(options, TableSettings)
    if "table" not in fields:
        raise ConfigError(f"--table: must be given, one of {', '.join(table_files())}, all")
    if fields["table"] != "all":
        return [plan_table(TableSettings(**fields))]
    if "name" in fields:
        raise ConfigError("--name: must not be combined with --table all, which has several runs")
    names = table_files()
    if not names:
        raise ConfigError("--table: there is no table in search_spaces/paper; run this command in the project folder")
    return [plan_table(TableSettings(**{**fields, "table": name})) for name in names]


def _list(console: Console) -> int:
    grid = Grid(title="tables", title_justify="left", show_header=True)
    for head in ("name", "question", "rows", "source"):
        grid.add_column(head)
    for name, path in table_files().items():
        table = load_table(path)
        grid.add_row(name, escape(table.question), str(len(table.rows)), escape(table.source))
    console.print(grid)
    return 0


def _say_plan(console: Console, plan: TablePlan) -> None:
    table = plan.table
    lengths = ", ".join(
        f"{length / 1e6:g} million pixels" if plan.budget.unit == "pixels" else f"{length:g} epochs"
        for length in plan.budget.lengths
    )
    seeds = plan.settings.seeds or plan.budget.seeds
    console.print(f"table {plan.name}: {table.question}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"  {len(plan.cells)} cells: {len(table.rows)} rows, scale {', '.join(map(str, table.scales))}, recipes "
        f"{', '.join(table.recipes)}; {lengths}; {seeds} seeds",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    for line in leak_lines(*plan.leaks, flag="allow_overlap"):
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


class _Monitor:
    """A line for every finished cell, and a progress bar in a terminal."""

    def __init__(self, console: Console) -> None:
        self._console, self._ended, self._started = console, 0, time.monotonic()
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self.bar.add_task("starting Ray", total=None)

    def __call__(self, event: Event) -> None:
        self.bar.update(self._task, completed=self._ended, total=event.trials, description=event.name)
        if event.kind != "end":
            return
        self._ended += 1
        text, figures = event.failure, None if event.report is None else event.report.figures
        if event.outcome != Outcome.FAILED and figures is not None:
            text = f"gain {figures.best_val_gain:+.2f} dB, {figures.train_seconds:.0f} s"
        elapsed = time.monotonic() - self._started
        self._console.print(
            f"{self._ended:3}/{event.trials} {elapsed:5.0f} s  {event.name:48} {event.outcome:9} {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _command(plan: TablePlan) -> str:
    given = plan.settings.model_dump(exclude_defaults=True)
    return (
        command("ablation")
        + " "
        + " ".join(f"--{n.replace('_', '-')}" + ("" if v is True else f" {v}") for n, v in given.items())
    )


def _say_end(console: Console, plan: TablePlan, result: TableRun) -> None:
    kinds = Counter(trained=result.trained, **{"finished before": result.kept}, failed=len(result.failed))
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    console.print(f"{result.name}: {counts}", markup=False, highlight=False)
    for line in result.failed:
        console.print(f"  failed: {line}", markup=False, highlight=False, soft_wrap=True)
    if result.interrupted:
        console.print(f"interrupted; to continue: {_command(plan)}", markup=False, highlight=False, soft_wrap=True)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    console = Console()
    if options.list:
        return _list(console)
    plans = _plans(options)
    with Cluster(plans[0].settings.address) as cluster:  # one cluster for all tables
        cluster.wait()
        for plan in plans:
            _say_plan(console, plan)
            monitor = _Monitor(console)
            with monitor.bar:
                result = run_table(plan, listener=monitor)
            _say_end(console, plan, result)
            if result.interrupted:
                return 130
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; the same command continues")
