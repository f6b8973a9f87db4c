"""What a search prints before it starts: what will run, on what, where it goes, and how long it is expected to take."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from srcnn.commands.live_words import duration
from srcnn.config.quantities import counted
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.system.gpu import gpu_count
from srcnn.system.invocation import command
from srcnn.tuning.algorithms.method_names import FREEZE_THAW
from srcnn.tuning.curves.learn_from import counted_by_search, overlapping
from srcnn.tuning.planning.confirmations import MOST_FURTHER, further_confirmations, ladder
from srcnn.tuning.planning.estimate import Estimate
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.trials.objective import OBJECTIVES

__all__ = [
    "expected_line",
    "near",
    "resume_command",
    "show_past",
    "show_plan",
    "show_resume",
    "show_rows",
    "show_skipped",
    "show_start",
]

_MOST_NAMED = 5  # past searches that the line about them names
_MOST_CHARACTERS = 150  # of a line about images that are left out, in the short plan

_STOPPING = {
    FREEZE_THAW: "weak trials wait after two ninths of it or later, and continue when they are worth it",
    "asha": "weak trials are stopped at 2/9 and 6/9 of it (asha)",
    "hyperband": "weak trials are stopped at 2/9 and 6/9 of it, some of them later or never (hyperband)",
    "median": "trials below the median of the others are stopped",
    "none": "no trial is stopped early",
}
_SHORTLY = {
    FREEZE_THAW: "weak ones wait",
    "asha": "weak ones are stopped (asha)",
    "hyperband": "weak ones are stopped (hyperband)",
    "median": "those below the median are stopped",
    "none": "none is stopped early",
}


def resume_command(s: SearchSettings, *, trials: int | None = None, time_budget: float | None = None) -> str:
    """Return the command that resumes a search; all other settings are in its folder.

    Args:
        s: settings of the search.
        trials: new total number of trials; None: as before.
        time_budget: new time budget in seconds; None: as before. It may grow only with more trials.
    """
    default = SearchSettings.model_fields["storage"].default
    more = "" if trials is None else f" --trials {trials}"
    more += "" if time_budget is None else f" --time-budget {_typed(time_budget)}"
    return f"{command('search')} --resume {s.name}{more}" + ("" if s.storage == default else f" --storage {s.storage}")


def _typed(seconds: float) -> str:
    """Return a time as a person types it: 2h, 1h30m or 90s."""
    whole = max(1, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return "".join(f"{number}{unit}" for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if number)


def near(path: Path) -> Path:
    """Return a path as seen from the present folder if it is inside, else the path itself."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def show_start(console: Console, plan: Plan, *, resume: bool) -> None:
    """Print the plan in a dozen lines at a width of 80.

    Args:
        console: where.
        plan: the search.
        resume: whether an earlier search goes on.
    """
    s = plan.settings
    scales = " ".join(f"x{scale}" for scale in plan.space.scales)
    rows = [
        (
            "trials",
            f"{s.trials} at {scales}, up to {s.budget / 1e6:g} million training pixels each; {_SHORTLY[s.stopping]}",
        ),
        ("then", _then(plan)),
        ("varies", f"{', '.join(plan.space.parameters)} ({plan.space.source})"),
        ("images", _images(plan)),
        ("runs on", _place(s)),
        ("goes to", f"{near(s.folder)}, {s.tracking_uri}"),
    ]
    if s.learn_from:
        rows.append(("learns from", _past(plan)))
    console.print(f"search {s.name}" + (", resumed" if resume else ""), style="bold", highlight=False, soft_wrap=True)
    show_rows(console, rows)
    for line in (*leak_lines(plan.left_out, plan.kept), *(f"warning: {text}" for text in plan.warnings)):
        short = line if len(line) <= _MOST_CHARACTERS else f"{line[: _MOST_CHARACTERS - 14]} ... (-v: all)"
        console.print(short, markup=False, highlight=False)
    show_skipped(console, plan)


def show_rows(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    """Print names and values below one another. In a terminal the values are wrapped beside the names, but never in a word."""
    indent = 13
    for name, value in rows:
        width = max(20, console.width - indent) if console.is_terminal else max(1, len(value))
        parts = textwrap.wrap(value, width, break_long_words=False, break_on_hyphens=False)
        text = Text.assemble((name.ljust(indent), "bold"), f"\n{'':{indent}}".join(parts))
        console.print(text, highlight=False, soft_wrap=True)


def show_resume(console: Console, s: SearchSettings) -> None:
    """Print the command that resumes a search. It is not in a table and not wrapped, so that it can be copied."""
    console.print(f"[bold]if it stops[/bold]  {escape(resume_command(s))}", highlight=False, soft_wrap=True)


def _then(plan: Plan) -> str:
    s = plan.settings
    if not s.confirm:
        return "nothing: the best single trial of each scale wins, not confirmed"
    finalists = ladder(plan)
    first = "".join(f"the best {rung.finalists} with {rung.pixels / 1e6:.3g} million pixels, " for rung in finalists)
    paper, best = " and the paper's network" if plan.references else "", f" {s.best}" if s.best > 1 else ""
    return (
        f"{first}the best{best} of each scale{paper} with {counted(s.choice_seeds, 'new seed')}; the winner{paper} with "
        f"{s.confirm_seeds} more"
    )


def _images(plan: Plan) -> str:
    tests = ", ".join(f"{images.name} ({len(images)})" for images in plan.test)
    judges = f", {len(plan.judging)} to judge" if len(plan.judging) else ""
    return (
        f"{plan.settings.train}: {len(plan.training)} to train on, {len(plan.validation)} to choose by{judges}; "
        f"at the end {tests}"
    )


def expected_line(found: Estimate) -> str:
    """Return the expected cost in a line."""
    parts = f"{counted(found.search.trials, 'trial')} {duration(found.search.seconds)}"
    if found.confirmation.trials:
        count, most = found.confirmation.trials, found.most
        many = f"{count} to {most}" if most > count else f"{count}"
        parts += f", {many} confirmations {duration(found.confirmation.seconds)}"
    kind = "GPU" if found.speed.gpu else "core"
    rate = f"{found.hours:.2g} {kind}-hours, {found.slots} at a time, {found.disk / 1e6:.0f} MB"
    return f"about {duration(found.seconds)} ({parts}); {rate}"


def show_skipped(console: Console, plan: Plan) -> None:
    """Name the image files that could not be read."""
    for images in (plan.training, plan.validation, plan.judging, *plan.test):
        if images.skipped:
            names = ", ".join(images.skipped)
            console.print(
                f"{images.name}: skipped {len(images.skipped)} unreadable: {names}", markup=False, highlight=False
            )


def show_plan(console: Console, plan: Plan) -> None:
    """Print a table of all that the search will do, and the images that were left out or skipped."""
    s = plan.settings
    table = Table(title=f"search {s.name}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    varied = ", ".join(f"{n} {_range(p)}" for n, p in plan.space.parameters.items())
    for name, value in (
        ("trials", f"{s.trials}, each {s.budget / 1e6:g} million training pixels; {_STOPPING[s.stopping]}"),
        ("sampler", f"{s.sampler}; optimises {', '.join(OBJECTIVES[name].title for name in s.objectives)}"),
        ("ladder", _ladder(plan)),
        ("confirmation", _confirmation(plan)),
        ("space", f"{plan.space.source}: {varied}"),
        ("training", f"{plan.training.name}, {len(plan.training)} images (digest {plan.training.digest})"),
        ("validation", f"{len(plan.validation)} images, held out by image; every choice is made on them"),
        ("judging", _judging(plan)),
        ("test", ", ".join(f"{t.name} ({len(t)} images)" for t in plan.test) + "; measured when the choice is made"),
        ("first", _first(plan)),
        ("learns from", _past(plan)),
        ("workers", _workers(s)),
        ("storage", str(s.folder)),
        ("tracking", s.tracking_uri),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    for line in (*leak_lines(plan.left_out, plan.kept), *(f"warning: {text}" for text in plan.warnings)):
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    show_skipped(console, plan)


def _confirmation(plan: Plan) -> str:
    s = plan.settings
    if not s.confirm:
        return "none: the best single trial is the winner"
    pixels = (s.confirm_budget or s.budget) / 1e6
    paper = " and the paper's network" if plan.references else ""
    more = f"; if it fails on a drawn pattern, up to {MOST_FURTHER} more of each scale follow"
    return (
        f"the best {s.best} of each scale{paper}, {counted(s.choice_seeds, 'new seed')} each, {pixels:g} million pixels: the "
        f"highest mean wins; then the winner{paper} with {counted(s.confirm_seeds, 'further seed')}, to judge it"
        f"{more if further_confirmations(plan) else ''}"
    )


def _ladder(plan: Plan) -> str:
    """Return the lower rungs of the confirmation: finalists, budget, seeds and trials."""
    if not plan.settings.confirm:
        return "none: nothing is confirmed"
    scales = len(plan.space.scales)
    rungs = [
        f"rung {rung.number}: {rung.finalists} finalists of each scale, 1 new seed, {rung.pixels / 1e6:.3g} million pixels, "
        f"at most {counted(rung.finalists * scales, 'trial')}, the best {rung.goes_on} go on"
        for rung in ladder(plan)
    ]
    return "; ".join(rungs) or "none: the confirmation takes its configurations from the search alone"


def _judging(plan: Plan) -> str:
    if not plan.settings.confirm:
        return "none: nothing is confirmed"
    if not len(plan.judging):
        return "none: too few images are left, so the winner's lead is not measured"
    return f"{len(plan.judging)} images not used in any choice; the winner's gain and lead are measured on them"


def _first(plan: Plan) -> str:
    others = len(plan.first) - plan.references
    parts = [f"the paper's 9-1-5 (64-32) at every scale, never stopped: {plan.references}"] if plan.references else []
    parts += [f"other given configurations: {others}"] if others else []
    return "; ".join(parts) or "nothing: the space does not hold the paper's network"


def _past(plan: Plan) -> str:
    if not plan.settings.learn_from:
        return "this search alone"
    if not plan.past:
        return "this search alone: no ended search has a trial that lies in the space"
    skipped = f"; {plan.past_skipped} other trials of them lie outside the space" if plan.past_skipped else ""
    return f"{counted_by_search(Counter(trial.source for trial in plan.past))}{skipped}"


def show_past(console: Console, plan: Plan) -> None:
    """Say which past searches could be learnt from, if none is."""
    s = plan.settings
    found = {} if s.learn_from else overlapping(plan.space, s.tracking_uri, s.name)
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        named = counted_by_search(dict(list(found.items())[:_MOST_NAMED]))
        text = f"past searches that overlap: {named}{more}; --learn-from all uses them"
        console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _range(parameter: Any) -> str:
    if parameter.type == "categorical":
        text = "{" + " ".join(map(str, parameter.choices)) + "}"
    else:
        text = f"[{parameter.low:g}..{parameter.high:g}{' log' if parameter.log else ''}]"
    return f"({text})" if parameter.when else text


def _place(s: SearchSettings) -> str:
    """Return what the trials run on, for the short plan."""
    if s.address is not None or (s.gpus_per_trial != 0 and gpu_count()):
        return _workers(s)
    cores = f"{counted(os.cpu_count() or 1, 'core')}, {s.cpus_per_trial} for each trial"
    return f"this machine without a GPU, {cores}" if s.gpus_per_trial != 0 else f"this machine's {cores}, no GPU"


def _workers(s: SearchSettings) -> str:
    if s.gpus_per_trial is None:
        gpus = "one GPU a trial, or the CPU if there is none"
    elif s.gpus_per_trial == "auto":
        gpus = "as many trials a GPU as fit into its memory"
    else:
        gpus = f"{s.gpus_per_trial:g} GPU a trial"
    place = s.address or f"this machine, {counted(os.cpu_count() or 1, 'core')}"
    return f"{place}; {gpus}; {counted(s.cpus_per_trial, 'thread')} each"
