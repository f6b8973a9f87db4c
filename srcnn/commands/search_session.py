"""One run of the command search: the plan, the display while it runs, and what it prints at the end."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.commands.champion_words import champions_json
from srcnn.commands.event_lines import VERSION, Display, JsonLines, PlainLines
from srcnn.commands.live_display import LiveDisplay
from srcnn.commands.live_table import Shown
from srcnn.commands.live_words import duration
from srcnn.commands.search_end import (
    REPORTS,
    exit_code,
    failure_counts,
    go_on_line,
    look_lines,
    show_end,
    show_interrupted,
    time_line,
    use_line,
    write_report,
)
from srcnn.commands.search_start import (
    expected_line,
    resume_command,
    show_past,
    show_plan,
    show_resume,
    show_rows,
    show_start,
)
from srcnn.commands.search_tables import show_front, show_tables
from srcnn.errors import ConfigError, SearchExistsError, SearchRunningError, SRCNNError, StateVersionError
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.system.gpu import gpu_count
from srcnn.tuning.algorithms.time_budget import spent_before
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.driver.snapshot import check_saved_state
from srcnn.tuning.planning.confirmations import further_confirmations
from srcnn.tuning.planning.estimate import Estimate, estimate, lines, speed_here
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.planning.time_costs import check_ladder, deadline_of, time_file
from srcnn.tuning.tracking.store_address import check_store
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.watch.server import serve_in_background
from srcnn.tuning.whole_search.remote import run_anywhere
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["run_session"]


def run_session(options: argparse.Namespace, settings: SearchSettings, *, resume: bool) -> int:
    """Run or resume a search as the flags say.

    Args:
        options: parsed flags of `srcnn.commands.search_flags`.
        settings: settings from these flags.
        resume: whether a search is resumed.

    Returns:
        The exit code: 0 if the search ended, 1 if it ended and no trial finished, 130 if it was interrupted.

    Raises:
        SRCNNError: the search cannot be run, or has failed.
    """
    if options.trust_saved_state and options.resume is None:
        raise ConfigError(
            "--trust-saved-state: must be combined with --resume, because a new search has no saved state"
        )
    if not settings.is_remote:  # that store must answer the cluster, not this machine
        check_store(settings.tracking_uri, write=True)
    if resume and not settings.is_remote and not options.dry_run:  # said before anything is read or measured
        check_saved_state(settings.folder, trust=options.trust_saved_state)
    console = Console(quiet=options.json, soft_wrap=False)
    plan = plan_search(settings)
    _show_plan(console, plan, options, resume=resume)
    if options.dry_run:
        return _dry_run(plan, json_lines=options.json)
    predicted, line = (None if resume else _predict(plan)) or (None, "")
    if resume and settings.time_budget is not None:
        spent = spent_before(time_file(plan))
        line = f"time_budget: {spent:.0f} s of the {settings.time_budget:.0f} s are spent"
    if not options.quiet:
        _say_costs(console, plan, predicted, line)
    display = _display(console, plan, predicted, options)
    if isinstance(display, JsonLines):
        display.write("plan", _plan_json(plan, predicted, resume=resume))
    result = _run(console, display, plan, options, resume=resume)
    if result is None:
        return 130
    report = _end(console, display, plan, result, options)
    if isinstance(display, JsonLines):
        display.write("result", _result_json(display.state, result, report))
    if predicted is not None and not options.quiet and not result.interrupted:
        kind, hours = "GPU" if predicted.speed.gpu else "core", display.state.core_seconds * predicted.units / 3600
        console.print(
            f"expected {duration(predicted.seconds)} and {predicted.hours:.2g} {kind}-hours; took {duration(result.seconds)} "
            f"and {hours:.2g}",
            highlight=False,
            soft_wrap=not console.is_terminal,
        )
    return exit_code(result)


def _show_plan(console: Console, plan: Plan, options: argparse.Namespace, *, resume: bool) -> None:
    if options.quiet:
        return
    if options.verbose:
        show_plan(console, plan)
    else:
        show_start(console, plan, resume=resume)
    if not resume:
        show_past(console, plan)


def _say_costs(console: Console, plan: Plan, predicted: Estimate | None, line: str) -> None:
    rows = [("time", line)] if line else []
    rows += [("expected", expected_line(predicted))] if predicted is not None else []
    show_rows(console, rows)
    show_resume(console, plan.settings)


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


def _dry_run(plan: Plan, *, json_lines: bool) -> int:
    found = _predict(plan, fresh=True)
    if found is None:
        raise ConfigError("dry_run: must not be combined with --address, because it measures only this machine")
    predicted, line = found
    if json_lines:
        JsonLines(LiveState(plan.settings.name, plan.settings.trials)).write("plan", _plan_json(plan, predicted))
        return 0
    console, table = Console(), Table(title="expected", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in lines(predicted):
        table.add_row(name, escape(value))
    console.print(table)
    if line:
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    console.print("dry run: nothing was started or written", highlight=False)
    return 0


def _display(console: Console, plan: Plan, predicted: Estimate | None, options: argparse.Namespace) -> Display:
    s = plan.settings
    state = LiveState(s.name, s.trials, None if predicted is None else predicted.seconds, s.time_budget)
    if options.json:
        return JsonLines(state)
    table = console.is_terminal and not console.is_dumb_terminal and not options.quiet
    if not table:
        return PlainLines(state, verbose=options.verbose, quiet=options.quiet)
    gpu = s.gpus_per_trial != 0 and s.address is None and gpu_count() > 0
    units = s.gpu_share if gpu else s.cpus_per_trial
    later = 0.0 if predicted is None or s.time_budget is not None else predicted.confirmation.seconds + predicted.tests
    return LiveDisplay(console, state, Shown(units / 3600, "GPU" if gpu else "core", later))


def _run(
    console: Console, display: Display, plan: Plan, options: argparse.Namespace, *, resume: bool
) -> SearchResult | None:
    """Run the search under its display; None if it was interrupted before its trials could be saved."""
    settings, acknowledged = plan.settings, threading.Event()

    def acknowledge() -> None:
        acknowledged.set()
        display.acknowledge()

    try:
        _watch(console, display, settings, options)
        with display, _interrupt_said(acknowledge):
            return run_anywhere(
                plan, resume=resume, listener=display, acknowledge=acknowledge, trust=options.trust_saved_state
            )
    except KeyboardInterrupt:
        console.print(f"interrupted; go on: {resume_command(settings)}", soft_wrap=True, highlight=False)
        if isinstance(display, JsonLines):
            display.write("result", {"search": settings.name, "interrupted": True, "go_on": resume_command(settings)})
        return None
    except SRCNNError as error:
        if not isinstance(error, SearchExistsError | SearchRunningError | StateVersionError):
            console.print(f"stopped; go on: {resume_command(settings)}", soft_wrap=True, highlight=False)
        raise


@contextmanager
def _interrupt_said(acknowledge: Callable[[], None]) -> Iterator[None]:
    """Take Ctrl-C and SIGTERM also where no trial runs: while Ray starts, or while test images are measured."""

    def handle(*_: object) -> None:
        acknowledge()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(console: Console, display: Display, settings: SearchSettings, options: argparse.Namespace) -> None:
    """Serve the page with the state of the search, if asked for."""
    if not options.watch:
        return
    address = serve_in_background(settings.folder)
    if isinstance(display, JsonLines):
        display.write("watch", {"address": address})
    console.print(f"[bold]watch[/bold]        {escape(address)}", highlight=False, soft_wrap=True)


def _end(
    console: Console, display: Display, plan: Plan, result: SearchResult, options: argparse.Namespace
) -> str | None:
    """Print the end; return the path of the report, None if there is none."""
    if result.interrupted:
        show_interrupted(console, display.state, result)
        return None
    if options.verbose:
        show_tables(console, plan, result)
    if len(plan.settings.objectives) > 1 and not options.quiet:
        show_front(console, result)
    show_end(console, plan, result, quiet=options.quiet or options.verbose)
    if options.no_report:
        return None
    with console.status("writing the report") if console.is_terminal and not options.quiet else nullcontext():
        page, said = write_report(result, REPORTS / plan.settings.name)
    console.print(f"report  {said}", markup=False, highlight=False, soft_wrap=True)
    return page or None


def _plan_json(plan: Plan, predicted: Estimate | None, *, resume: bool = False) -> dict[str, object]:
    s = plan.settings
    return {
        "version": VERSION,
        "search": s.name,
        "resumed": resume,
        "trials": s.trials,
        "scales": list(plan.space.scales),
        "stopping": s.stopping,
        "folder": str(s.folder),
        "tracking_uri": s.tracking_uri,
        "resume": resume_command(s),
        "images": [*leak_lines(plan.left_out, plan.kept), *plan.warnings],
        "expected_seconds": None if predicted is None else predicted.seconds,
        "expected_hours": None if predicted is None else predicted.hours,
        "further_trials": further_confirmations(plan),
        "further_seconds": None if predicted is None else predicted.further.seconds,
        "further_hours": None if predicted is None else predicted.further_hours,
    }


def _result_json(state: LiveState, result: SearchResult, report: str | None) -> dict[str, object]:
    done = not result.interrupted
    return {
        "search": result.settings.name,
        "interrupted": result.interrupted,
        "seconds": result.seconds,
        "stage": state.stage,
        "began": sum(state.counts.values()),
        "planned": state.trials,
        "counts": {kind.value: result.count(kind) for kind in Outcome},
        "failures": failure_counts(result.rows),
        "champions": champions_json(result) if done else [],
        "notes": [*filter(None, (time_line(result),)), *result.notes],
        "registry": list(result.champions),
        "report": report,
        "look": look_lines(result.tracking_uri, result.settings.name),
        "use": use_line(result) if done else "",
        "go_on": go_on_line(result) if done else resume_command(result.settings),
    }
