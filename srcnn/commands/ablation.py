"""Reproduce a table of the paper: train its cells, measure them, and compare them with the paper's figures.

    python experiments/ablation.py --table filter_size
    python experiments/ablation.py --table all --budget smoke
    python experiments/ablation.py --list

The same command resumes an interrupted table; a finished cell is never run twice. Every cell is a run in MLflow, below one
parent run per table. At the end the command prints the paper's figures beside ours with a verdict on each of the paper's
claims, and writes the report to mlruns/reports/NAME.
"""

from __future__ import annotations

import argparse
import shlex
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from srcnn.commands.command_line import Parser, add_fields, given_fields, run
from srcnn.commands.table_output import TableMonitor, say, say_end, say_plan, say_result, say_tables
from srcnn.errors import ConfigError, SRCNNError
from srcnn.system.folder_lock import refuse_if_locked
from srcnn.system.invocation import command
from srcnn.tuning import configure
from srcnn.tuning.driver.cluster import Cluster
from srcnn.tuning.driver.snapshot import check_saved_state
from srcnn.tuning.paper.run_table import TableRun, run_table
from srcnn.tuning.paper.table import load_table, table_files
from srcnn.tuning.paper.table_plan import TablePlan, TableSettings, plan_table
from srcnn.tuning.report.build import report_after
from srcnn.tuning.report.data.search_data import find_parent
from srcnn.tuning.report.data.table_data import gather_table
from srcnn.tuning.tracking.store_address import check_store
from srcnn.tuning.tracking.tracker import ui_command
from srcnn.tuning.tracking.views import address

__all__ = ["main"]

_REPORTS = Path("mlruns/reports")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the existing tables and their questions, and exit")
    parser.add_argument("--no-report", action="store_true", help="write no report at the end")
    parser.add_argument(
        "--trust-saved-state",
        action="store_true",
        help="go on from a saved state that another user or machine may have written; reading it can run code",
    )
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


def _command(plan: TablePlan) -> str:
    given = plan.settings.model_dump(exclude_defaults=True)
    flags = [
        text
        for name, value in given.items()
        for text in (f"--{name.replace('_', '-')}", *([] if value is True else [str(value)]))
    ]
    return f"{command('ablation')} {shlex.join(flags)}"


def _report(console: Console, plan: TablePlan, result: TableRun) -> None:
    """Write the report. What was trained is safe without it, so a report that cannot be written does not fail the command."""
    try:
        with console.status("writing the report") if console.is_terminal else nullcontext():
            page = report_after(result.uri, plan.name, _REPORTS / plan.name)
    except SRCNNError as error:
        say(console, f"no report: {error}; {command('report')} {plan.name} writes it")
    else:
        say(console, f"report: {page}")


def _look(console: Console, result: TableRun) -> None:
    """Print what shows the runs of a table in MLflow: a command for a local store, and the address of the page."""
    local = not result.uri.startswith("http")
    lines = [ui_command(result.uri)] if local else []
    try:  # the stage of a table's runs is not that of a search's trials
        lines.append(address(result.uri, result.name, view="confirmations"))
    except SRCNNError as error:
        lines.append(f"no address: {error}")
    for head, line in zip(("look:", " " * 5), lines, strict=False):
        console.print(f"{head} {line}", markup=False, highlight=False, soft_wrap=True)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    console = Console()
    if options.list:
        files = table_files()
        if not files:
            raise ConfigError("--list: there is no table in search_spaces/paper, and the package has none")
        say_tables(console, [(name, load_table(path)) for name, path in files.items()])
        return 0
    check_store(options.tracking_uri or TableSettings.model_fields["tracking_uri"].default, write=True)
    plans = _plans(options)
    for plan in plans:
        check_saved_state(plan.folder, trust=options.trust_saved_state)
    for plan in plans:  # before Ray starts
        refuse_if_locked(plan.folder, f"name: the table {plan.name}")
    with Cluster(plans[0].settings.address) as cluster:  # one cluster for all tables
        cluster.wait()
        for plan in plans:
            say_plan(console, plan)
            monitor = TableMonitor(console)
            with monitor.bar:
                result = run_table(plan, listener=monitor, measured=monitor.measured)
            say_end(console, result, _command(plan))
            if result.interrupted:
                return 130
            say_result(console, gather_table(result.uri, find_parent(result.uri, plan.name), ""))
            console.print()
            if not options.no_report:
                _report(console, plan, result)
            _look(console, result)
    if len(plans) > 1:
        names = " ".join(plan.name for plan in plans)
        say(console, f"all of them, with one front page: {command('report')} {names} --out {_REPORTS / 'paper'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted; the same command continues")
