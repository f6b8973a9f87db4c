"""What a search prints at its end: its champions in plain words, what failed, and three commands: look, use, go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from srcnn.commands.champion_words import champion_words
from srcnn.commands.live_words import clean, duration, stage_words
from srcnn.commands.search_start import near, resume_command
from srcnn.config.quantities import counted
from srcnn.overlap.leaks import footnote, marked
from srcnn.system.invocation import command
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.report.build import report_after
from srcnn.tuning.tracking import views
from srcnn.tuning.tracking.tracker import ui_command
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.published import printed
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.whole_search.choice import Choice, Confirmed
from srcnn.tuning.whole_search.result import SearchResult

__all__ = [
    "REPORTS",
    "exit_code",
    "failure_counts",
    "failure_lines",
    "go_on_line",
    "interrupted_lines",
    "look_lines",
    "show_end",
    "show_interrupted",
    "time_line",
    "use_line",
    "write_report",
]

REPORTS = Path("mlruns/reports")  #: folder of the reports
_MOST_SETS = 2  # test sets in the small table; --verbose shows all


def show_end(console: Console, plan: Plan, result: SearchResult, *, quiet: bool = False) -> None:
    """Print the end of a search that was not interrupted.

    Args:
        console: where.
        plan: the search.
        result: its result.
        quiet: whether the table is left out.
    """

    def say(text: str, style: str = "", *, whole: bool = False) -> None:
        # A sentence is wrapped for a person at a terminal, but not in a log, and a command never.
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=whole or not console.is_terminal)

    for choice in result.choices:
        for place, sentence in enumerate(champion_words(choice)):
            say(sentence, "bold" if place == 0 else "")
    for scale in result.scales:
        rows = result.of_scale(scale)
        if not result.choices and rows:
            gain = f"{rows[0].val_gain:+.2f} dB over bicubic"
            say(f"{rows[0].name}: best single trial, {gain}, not confirmed", "bold")
        elif not result.choices:
            say(f"x{scale}: no trial finished", "bold")
        for sentence in [] if result.choices else result.artefact_lines(scale):
            say(sentence)
    if not quiet:
        console.print(_table(plan, result), highlight=False)
        if result.kept:
            say(footnote(result.kept))
    counts = ", ".join(f"{result.count(kind)} {kind}" for kind in (Outcome.FINISHED, Outcome.STOPPED, Outcome.FAILED))
    say(f"{counted(len(result.rows), 'trial')} in {duration(result.seconds)}: {counts}")
    for line in failure_lines(result.rows):
        say(line)
    for sentence in (*filter(None, (time_line(result),)), *result.notes, *result.champions):
        say(sentence)
    for name, text in _next(result):
        say(f"{name:7} {text}", whole=True)


def exit_code(result: SearchResult) -> int:
    """Return the exit code of a search: 130 if it was interrupted, 1 if it ended and no trial finished, else 0.

    That no trial finished is no error of a person or of this program: all of them failed, or the time budget was up. The search
    says which.
    """
    if result.interrupted:
        return 130
    return 0 if result.count(Outcome.FINISHED) else 1


def failure_counts(rows: Sequence[TrialResult]) -> dict[str, int]:
    """Return how many trials failed by their message, the most frequent first."""
    return dict(Counter(row.failure for row in rows if row.outcome is Outcome.FAILED).most_common())


def failure_lines(rows: Sequence[TrialResult]) -> list[str]:
    """Return a line for every cause of failed trials, the most frequent first."""
    return [
        f"failed {count} {'time' if count == 1 else 'times'}: {clean(cause)}"
        for cause, count in failure_counts(rows).items()
    ]


def _next(result: SearchResult) -> list[tuple[str, str]]:
    rows = [("look", line) for line in look_lines(result.tracking_uri, result.settings.name)]
    if use := use_line(result):
        rows.append(("use", use))
    return [*rows, ("go on", go_on_line(result))]


def look_lines(uri: str, search: str) -> list[str]:
    """Return what shows the trials of a search in MLflow: a command for a local store, and the address of the page.

    Args:
        uri: address of the tracking store.
        search: name of the search.
    """
    server = [] if uri.startswith("http") else [ui_command(uri)]
    try:
        return [*server, views.address(uri, search, ui=uri if server == [] else views.UI)]
    except Exception as error:  # a search has ended all the same
        return [*server, f"no address ({clean(str(error))})"]


def use_line(result: SearchResult) -> str:
    """Return the command that enlarges a photo with the champion of the largest scale; empty if there is no network."""
    best = {choice.scale: choice.winner.best for choice in result.choices}
    for scale in reversed(result.scales):
        row = best.get(scale) or next(iter(result.of_scale(scale)), None)
        if row is not None and row.checkpoint is not None:
            return f"{command('upscale')} PHOTO --scale {scale} --model {near(row.checkpoint)}"
    return ""


def go_on_line(result: SearchResult) -> str:
    """Return the command that goes on with twice as many trials, and with more time if it is limited."""
    s = result.settings
    if s.time_budget is None:
        return resume_command(s, trials=2 * s.trials)
    # Twice the time; where no trial finished, what the one that came farthest would have needed.
    cut = [row.report for row in result.rows if row.report is not None and row.outcome is Outcome.STOPPED]
    needed = min((report.epochs / max(1, report.epoch) for report in cut), default=2.0)
    times = 2.0 if result.count(Outcome.FINISHED) else max(2.0, needed)
    return resume_command(s, trials=2 * s.trials, time_budget=times * max(s.time_budget, result.seconds))


def time_line(result: SearchResult) -> str:
    """Return a sentence for a search whose time was up before any trial finished; empty for another one."""
    s = result.settings
    cut = result.count(Outcome.STOPPED)
    if s.time_budget is None or result.interrupted or result.count(Outcome.FINISHED) or not cut:
        return ""
    return (
        f"time_budget: the {duration(s.time_budget)} were up before any trial finished, so nothing was chosen; give more "
        "time and trials to this search (go on, below), or a smaller --budget to a new one"
    )


def write_report(result: SearchResult, folder: Path) -> tuple[str, str]:
    """Write the report of an ended search.

    Returns:
        The path of the page, empty if it was not written, and words for the terminal. A search whose report fails has ended all
        the same, so no error of it is raised.
    """
    name = result.settings.name
    try:
        page = report_after(result.tracking_uri, name, folder)
    except (Exception, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else clean(str(error)) or type(error).__name__
        return "", f"not written ({reason}); again: {command('report')} {name}"
    return str(page), str(page)


def show_interrupted(console: Console, state: LiveState, result: SearchResult) -> None:
    """Print what an interrupted search has kept, how many trials never began, and the command that goes on."""
    for line in interrupted_lines(state, result):
        whole = line.startswith("go on") or not console.is_terminal  # a command is never wrapped
        console.print(line, markup=False, highlight=False, soft_wrap=whole)


def interrupted_lines(state: LiveState, result: SearchResult) -> list[str]:
    """Return the same as lines."""
    counts = state.counts
    began = sum(counts.values())
    cut = counts[Outcome.INTERRUPTED.value] + counts["running"]
    never = max(0, state.trials - began)
    kept = [
        f"{counts[kind.value]} {kind}" for kind in (Outcome.FINISHED, Outcome.STOPPED, Outcome.WAITING, Outcome.FAILED)
        if counts[kind.value]
    ]  # fmt: skip
    if cut:
        kept.append(f"{cut} in the middle, which {'goes' if cut == 1 else 'go'} on from the last epoch")
    stage = stage_words(state.stage).partition(":")[0]
    lines = [
        f"interrupted after {duration(result.seconds)} in the {stage}: {began} of {counted(state.trials, 'trial')} had begun"
    ]
    if kept:
        lines.append(f"kept    {', '.join(kept)}")
    if never:
        lines.append(f"never began: {never} {'trial' if never == 1 else 'trials'} of the {stage}")
    lines += failure_lines(result.rows)
    lines.append(f"go on   {resume_command(result.settings)}")
    return lines


def _table(plan: Plan, result: SearchResult) -> Table:
    """Return bicubic, the paper's network and the champion of every scale, on the first test sets."""
    sets = [images.name for images in plan.test][:_MOST_SETS]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    choices = {choice.scale: choice for choice in result.choices}
    # The images of the gain are not those of the next columns: without their name the two would be compared.
    judged = any(choice.winner.gain is not None for choice in result.choices)
    gain = f"gain dB,\n{'judging' if judged else 'validation'} images"
    for head in ("scale", "network", gain, *(f"{marked(name, result.kept)} PSNR" for name in sets)):
        table.add_column(head, justify="left" if head in ("scale", "network") else "right", overflow="fold")
    for scale in result.scales:
        plain = [f"{result.bicubic[name, scale][0]:.2f}" if (name, scale) in result.bicubic else "" for name in sets]
        table.add_row(f"x{scale}", "bicubic", "0.00", *plain)
        known = [printed(name, scale) for name in sets]
        if any(known):
            table.add_row("", "9-1-5 as printed in the paper", "", *[f"{k:.2f}" if k else "" for k in known])
        for title, name, own, figures, best in _networks(result, choices.get(scale), scale, sets, judged):
            label = f"{title} {name}".strip()
            table.add_row("", label, own, *figures, style="bold" if best else None)
    return table


def _networks(
    result: SearchResult, choice: Choice | None, scale: int, sets: list[str], judged: bool
) -> list[tuple[str, str, str, list[str], bool]]:
    """Return title, name, gain, figures of the test sets and whether it is the best, for each network of a scale."""
    if choice is not None:
        paper, winner = choice.paper, choice.winner
        shown = [] if paper is None or paper is winner else [("paper's", paper, False)]
        return [
            (title, one.rows[0].spec.configuration, _gain(one, judged), [_mean(one, name) for name in sets], best)
            for title, one, best in (*shown, ("champion", winner, True))
        ]
    rows = result.of_scale(scale)
    picked = [("paper's", row, False) for row in rows if row.reference and row is not rows[0]][:1]
    picked += [("best", row, True) for row in rows[:1]]
    return [
        (
            title,
            row.spec.configuration,
            "" if judged else f"{row.val_gain:+.2f}",
            [f"{row.test[name][0]:.2f}" if name in row.test else "" for name in sets],
            best,
        )
        for title, row, best in picked
    ]


def _gain(one: Confirmed, judged: bool) -> str:
    """Return the gain on the judging images, or on the validation images where no network of the table was judged."""
    if not judged:
        return f"{float(one.gains.mean()):+.2f}"
    return "" if one.gain is None else f"{one.gain.mean:+.2f}"


def _mean(one: Confirmed, name: str) -> str:
    return f"{one.test_psnr(name).mean:.2f}" if name in one.psnr else ""
