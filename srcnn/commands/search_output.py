"""What a search prints: its plan before it starts, its result and its end."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from srcnn.overlap.leaks import footnote, marked
from srcnn.overlap.leaks import lines as leak_lines
from srcnn.system.invocation import command
from srcnn.tuning.algorithms.early_stopping import FREEZE_THAW
from srcnn.tuning.curves.learn_from import counted, overlapping
from srcnn.tuning.planning.confirmations import ladder
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking.tracker import ui_command
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.pareto import front
from srcnn.tuning.trials.published import printed
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Confirmed
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["resume_command", "show_end", "show_past", "show_plan", "show_result"]

_MOST_NAMED = 5  # past searches that the line about them names


def show_plan(console: Console, plan: Plan) -> None:
    """Print a table of what the search will do, and the images that were left out or skipped."""
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
        ("tracking", s.tracking_uri),
        ("if it stops", resume_command(s)),
    ):
        table.add_row(name, escape(value))
    console.print(table)
    for line in leak_lines(plan.left_out, plan.kept):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for images in (plan.training, plan.validation, plan.judging, *plan.test):
        if images.skipped:
            console.print(f"{images.name}: skipped {len(images.skipped)} unreadable: {', '.join(images.skipped)}")


_STOPPING = {
    FREEZE_THAW: "weak trials wait after two ninths of it or later, and continue when they are worth it",
    "asha": "weak trials are stopped at 2/9 and 6/9 of it",
    "hyperband": "weak trials are stopped at 2/9 and 6/9 of it, some of them later or never",
    "median": "trials below the median of the others are stopped",
    "none": "no early stopping",
}


def _confirmation(plan: Plan) -> str:
    s = plan.settings
    if not s.confirm:
        return "none: the best single trial is the winner"
    pixels = (s.confirm_budget or s.budget) / 1e6
    paper = " and the paper's network" if plan.references else ""
    both = " and the paper's network" if plan.references else ""
    return (
        f"the best {s.best} of each scale{paper}, {s.choice_seeds} new seeds each, {pixels:g} million pixels: the highest mean "
        f"wins; then the winner{both} with {s.confirm_seeds} further seeds, to judge it"
    )


def _ladder(plan: Plan) -> str:
    """Return the lower rungs of the confirmation: finalists, budget, seeds and trials."""
    if not plan.settings.confirm:
        return "none: nothing is confirmed"
    scales = len(plan.space.scales)
    rungs = [
        f"rung {rung.number}: {rung.finalists} finalists of each scale, 1 new seed, {rung.pixels / 1e6:.3g} million pixels, "
        f"at most {rung.finalists * scales} trials, the best {rung.goes_on} go on"
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
    return f"{counted(Counter(trial.source for trial in plan.past))}{skipped}"


def show_past(console: Console, plan: Plan) -> None:
    """Say which past searches could be learnt from, if none is."""
    s = plan.settings
    found = {} if s.learn_from else overlapping(plan.space, s.tracking_uri, s.name)
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        named = counted(dict(list(found.items())[:_MOST_NAMED]))
        text = f"past searches that overlap: {named}{more}; --learn-from all uses them"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _range(parameter: Any) -> str:
    if parameter.type == "categorical":
        text = "{" + " ".join(map(str, parameter.choices)) + "}"
    else:
        text = f"[{parameter.low:g}..{parameter.high:g}{' log' if parameter.log else ''}]"
    return f"({text})" if parameter.when else text


def _workers(s: SearchSettings) -> str:
    if s.gpus_per_trial is None:
        gpus = "one GPU per trial, or the CPU if there is none"
    elif s.gpus_per_trial == "auto":
        gpus = "as many trials per GPU as fit into its memory, measured when the search starts"
    else:
        gpus = f"{s.gpus_per_trial:g} GPU per trial"
    place = s.address or f"this machine, {os.cpu_count()} cores"
    return f"{gpus}; {s.cpus_per_trial} thread(s) each; {place}"


def resume_command(s: SearchSettings) -> str:
    """Return the command that resumes a search; all other settings are in its folder."""
    default = SearchSettings.model_fields["storage"].default
    return f"{command('search')} --resume {s.name}" + ("" if s.storage == default else f" --storage {s.storage}")


def _figures(row: TrialResult, sets: list[str]) -> list[str]:
    return [f"{row.test[s][0]:.2f} / {row.test[s][1]:.4f}" if s in row.test else "" for s in sets]


def _confirmed(one: Confirmed, sets: list[str]) -> list[str]:
    """Return the cells of a confirmed configuration. Only values from judging seeds have an interval, not the selected ones."""
    cells = [f"{one.gains.mean():.3f}", "" if one.gain is None else str(one.gain)]
    for name in sets:
        psnr = one.test_psnr(name)
        cells.append(f"{psnr.text('.2f') if one.judging_trials else format(psnr.mean, '.2f')} / {one.ssim[name]:.4f}")
    return cells


def show_result(console: Console, plan: Plan, result: SearchResult) -> None:
    """Print the best configurations of each scale beside bicubic and the paper's network, and the verdicts."""
    sets = [images.name for images in plan.test]
    title = "PSNR in dB / SSIM; chosen by the gain over bicubic on validation images"
    if result.choices:
        title += "; gain: of further seeds on judging images [95 % over both]; PSNR: of the same seeds [95 %]"
    table = Table(title=title, title_justify="left")
    gain = ["gain"] if result.choices else []
    for head in ("scale", "configuration", "val gain", *gain, *(marked(name, result.kept) for name in sets)):
        table.add_column(head, justify="left" if head == "configuration" else "right")
    choices = {choice.scale: choice for choice in result.choices}
    for scale in result.scales:
        rows, choice = result.of_scale(scale), choices.get(scale)
        plain = [f"{result.bicubic[s, scale][0]:.2f} / {result.bicubic[s, scale][1]:.4f}" for s in sets]
        table.add_row(f"x{scale}", "bicubic", "0.00", *["0.00" for _ in gain], *plain)
        known = [printed(s, scale) for s in sets]
        if any(known):
            table.add_row(
                "", "the paper prints for 9-1-5 on T91", "", *gain and [""], *[f"{k:.2f}" if k else "" for k in known]
            )
        if choice is not None:
            for place, one in enumerate(choice.ranked, start=1):
                name = f"{place}. {one.name}" + (" (the paper's network)" if one.reference else "")
                table.add_row("", name, *_confirmed(one, sets), style="bold green" if place == 1 else None)
        elif not rows:
            table.add_row("", "no trial finished", "", *["" for _ in (*gain, *sets)])
        else:
            for row in [row for row in rows if row.reference][:1]:
                name = f"paper's network, same budget: {row.name}"
                table.add_row("", name, f"{row.val_gain:+.2f}", *["" for _ in gain], *_figures(row, sets))
            for place, row in enumerate(rows[:3], start=1):
                style = "bold green" if place == 1 else None
                cells = [f"{row.val_gain:+.2f}", *["" for _ in gain], *_figures(row, sets)]
                table.add_row("", f"{place}. {row.name}", *cells, style=style)
        table.add_section()
    console.print(table)
    if result.kept:
        console.print(footnote(result.kept), markup=False, highlight=False, soft_wrap=True)
    for verdict in result.verdicts:
        for line in verdict.sentences():
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(plan.settings.objectives) > 1:
        _show_front(console, result)


def _show_front(console: Console, result: SearchResult) -> None:
    objectives = result.settings.objectives
    table = Table(title="Pareto front: no other trial of the scale is as good in all objectives", title_justify="left")
    for head in ("scale", "configuration", "val gain", *objectives[1:]):
        table.add_column(head, justify="left" if head == "configuration" else "right")
    for row in front(result.rows, objectives):
        figures = [f"{row.values[name]:.4g}" for name in objectives[1:]]
        table.add_row(f"x{row.config.scale}", row.name, f"{row.val_gain:+.2f}", *figures)
    console.print(table)


def show_end(console: Console, result: SearchResult) -> None:
    """Print how the trials ended, where the best networks are, and how to go on."""
    s = result.settings
    open_kinds = (Outcome.WAITING, Outcome.INTERRUPTED) if result.interrupted else ()
    kinds = (Outcome.FINISHED, Outcome.STOPPED, Outcome.FAILED, *open_kinds)
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in kinds)
    console.print(f"{len(result.rows)} trials: {counts}; {result.seconds:.0f} s", highlight=False)
    causes = Counter(row.failure for row in result.rows if row.outcome is Outcome.FAILED)
    for cause, count in causes.most_common():
        console.print(f"failed {count} times: {cause}", markup=False, highlight=False)
    best = {choice.scale: choice.winner.best for choice in result.choices}
    for scale in result.scales:
        for row in [best[scale]] if scale in best else result.of_scale(scale)[:1]:
            console.print(f"best x{scale}: {row.checkpoint}", markup=False, highlight=False, soft_wrap=True)
    for sentence in (*result.notes, *result.champions):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if result.interrupted:
        console.print(f"interrupted; to continue: {resume_command(s)}", soft_wrap=True)
    console.print(f"compare the runs: {ui_command(result.tracking_uri)}", markup=False, highlight=False, soft_wrap=True)
