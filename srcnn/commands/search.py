"""Search for the best SRCNN: filters, kernels, learning rate and scale.

    python experiments/search.py --trials 50
    python experiments/search.py --trials 50 --train T91 --test Set5 --scale 3 --budget 40M
    python experiments/search.py --resume NAME

Every trial trains one configuration on its own GPU (or CPU core on a machine without a GPU). Weak trials are stopped
early, the best configuration per scale is chosen on validation images, and the test sets are measured after that. Every
trial is a run in MLflow.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.command_line import Parser, add_fields, given_fields, run
from srcnn.commands.monitor import Monitor
from srcnn.commands.search_output import resume_command, show_end, show_past, show_plan, show_result
from srcnn.config.quantities import parse_pixels
from srcnn.errors import ConfigError, SearchExistsError, SRCNNError, StateVersionError
from srcnn.system.invocation import command
from srcnn.tuning import configure
from srcnn.tuning.algorithms.time_budget import spent_before
from srcnn.tuning.planning.estimate import Estimate, estimate, lines, speed_here
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings, default_name, load_settings, parse_duration, saved_searches
from srcnn.tuning.planning.time_costs import check_ladder, deadline_of, time_file
from srcnn.tuning.whole_search.remote import run_anywhere

__all__ = ["main"]

_SPECIAL = ("scales", "test", "budget", "confirm_budget", "time_budget", "objectives", "enqueue", "learn_from")
_LISTS = ("test", "objectives", "enqueue", "learn_from")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="NAME", help="resume a search (default: the most recent)"
    )
    parser.add_argument("--dry-run", action="store_true", help="time a few steps, print the expected cost, and exit")
    parser.add_argument("--scale", metavar="S", help="scales to search, such as 3 or 2,4 (default: those of the space)")
    parser.add_argument("--test", metavar="SETS", help="test sets, joined by commas (default: sample/test)")
    parser.add_argument("--budget", metavar="PIXELS", help="training pixels of a full trial: 8M, 500k (default: 8M)")
    parser.add_argument(
        "--confirm-budget", metavar="PIXELS", help="training pixels of a confirmation trial (default: as above)"
    )
    parser.add_argument(
        "--time-budget", metavar="TIME", help="end after about this time, with confirmation, such as 2h"
    )
    parser.add_argument("--objectives", metavar="NAMES", help="objectives, such as gain,macs (default: gain)")
    parser.add_argument("--enqueue", metavar="WHAT", help="run first: paper, article or a YAML file, joined by commas")
    parser.add_argument(
        "--learn-from",
        metavar="NAMES",
        help="past searches of an overlapping space, joined by commas, or all (default: none)",
    )
    add_fields(parser, SearchSettings, skip=_SPECIAL)
    return parser


def _settings(options: argparse.Namespace) -> tuple[SearchSettings, bool]:
    fields: dict[str, Any] = given_fields(options, SearchSettings, skip=_SPECIAL)
    if options.scale is not None:
        fields["scales"] = tuple(part.strip() for part in options.scale.split(","))
    for name in _LISTS:
        if getattr(options, name) is not None:
            fields[name] = tuple(part.strip() for part in getattr(options, name).split(","))
    for name in ("budget", "confirm_budget"):
        if getattr(options, name) is not None:
            fields[name] = parse_pixels(getattr(options, name), name)
    if options.time_budget is not None:
        fields["time_budget"] = parse_duration(options.time_budget)
    if options.resume is not None:
        storage = str(fields.get("storage", SearchSettings.model_fields["storage"].default))
        resumed = options.resume or fields.get("name")
        # --name X --resume X starts or resumes a search, so that the same command can be repeated at any time.
        if not resumed or resumed != fields.get("name") or resumed in saved_searches(storage):
            return load_settings(resumed or None, storage, fields), True
    space = fields.get("space", SearchSettings.model_fields["space"].default)
    train = fields.get("train", SearchSettings.model_fields["train"].default)
    return SearchSettings(**{"name": default_name(space, train), **fields}), False


def _predict(plan: Plan, *, fresh: bool = False) -> tuple[Estimate, str] | None:
    """Return the expected cost on this machine, and the effect of the time budget on the confirmation.

    None if the search runs elsewhere.
    """
    here = speed_here(plan, fresh=fresh)
    if here is None:
        return None
    deadline = deadline_of(plan, *here)
    check_ladder(plan, deadline)
    return estimate(plan, *here), "" if deadline is None else deadline.line(deadline.planned)


def _dry_run(console: Console, plan: Plan) -> int:
    found = _predict(plan, fresh=True)
    if found is None:
        raise ConfigError("dry_run: must not be combined with --address, because it measures only this machine")
    predicted, line = found
    table = Table(title="expected", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in lines(predicted):
        table.add_row(name, escape(value))
    console.print(table)
    if line:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print("dry run: nothing was started or written", highlight=False)
    return 0


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    settings, resume = _settings(options)
    console = Console()
    plan = plan_search(settings)
    show_plan(console, plan)
    if not resume:
        show_past(console, plan)
    if options.dry_run:
        return _dry_run(console, plan)
    predicted, line = (None if resume else _predict(plan)) or (None, "")
    if resume and settings.time_budget is not None:
        spent = spent_before(time_file(plan))
        line = f"time_budget: {spent:.0f} s of the {settings.time_budget:.0f} s are spent"
    if line:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if predicted is not None:
        console.print(f"expected: {dict(lines(predicted))['time']}", highlight=False, soft_wrap=True)
    monitor = Monitor(console, settings.trials)
    try:
        with monitor.bar:
            result = run_anywhere(plan, resume=resume, listener=monitor)
    except KeyboardInterrupt:
        console.print(f"interrupted; to continue: {resume_command(settings)}", soft_wrap=True)
        return 130
    except SRCNNError as error:
        if not isinstance(error, SearchExistsError | StateVersionError):
            console.print(f"stopped; to continue: {resume_command(settings)}", soft_wrap=True)
        raise
    if not result.interrupted:
        show_result(console, plan, result)
    show_end(console, result)
    if predicted is not None and not result.interrupted:
        hours = monitor.busy / 3600
        console.print(
            f"expected {predicted.seconds:.0f} s and {predicted.hours:.2g} slot-hours; took {result.seconds:.0f} s and "
            f"{hours:.2g}",
            highlight=False,
        )
    return 130 if result.interrupted else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), f"interrupted; {command('search')} --resume continues")
