"""The table of a running search: its lines for a terminal of a given size.

The lines are built by hand, not as a table of rich: that is ten times faster, and the columns give way in a chosen order when
the terminal is narrow.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from srcnn.commands.live_words import decision_words, duration, shorten, shorten_name, sparkline, stage_words
from srcnn.tuning.driver.live_state import LiveState, LiveTrial

__all__ = ["Shown", "frame"]

_MOST_TRIALS = 40  # rows of running trials, however high the terminal is
_BAR = 24  # characters of the bar
_LOW = 16  # height below which lines are saved
#: Colours that people with colour blindness can tell apart (Okabe and Ito, 2008); NO_COLOR turns them off. No meaning is carried
#: by colour alone.
_GOOD, _WAIT, _BAD, _DIM = "#009E73", "#E69F00", "#D55E00", "dim"


@dataclass(frozen=True)
class Shown:
    """What the table shows besides the state."""

    core_hours_per_second: float = 1 / 3600  #: core-hours (or GPU-hours) of a slot in use for one second
    unit: str = "core"  #: ``core`` or ``GPU``
    later: float = 0.0  #: expected time of the stages after the search, in seconds; 0: none or unknown
    last: str = ""  #: latest event in words, where the search records no decisions
    note: str = ""  #: what happens now, such as the interrupt
    ascii_only: bool = False  #: whether the terminal has no Unicode


def frame(state: LiveState, width: int, height: int, shown: Shown) -> list[Text]:
    """Return the lines of the table, at most ``height``, each at most ``width`` characters.

    Args:
        state: state of the search.
        width, height: size of the terminal in characters.
        shown: what else is shown.
    """
    width, height = max(20, width), max(4, height)
    gap = [Text()] if height >= _LOW else []  # between the lines of ended trials and the table
    top = [*gap, _head(state, width, shown), _progress(state, width, shown)]
    best = _best(state, width, shown)
    foot = _decision(state, width, 3 if height >= _LOW else 1, shown)
    if shown.note:
        foot.append(_line(shown.note, width, shown, _WAIT))
    room = height - len(top) - len(foot) - len(best) - 1
    if room < 2:  # a very low terminal: the best of each scale gives way
        best, room = [], height - len(top) - len(foot) - 1
    return [*top, *_running(state, width, room, shown), *best, *foot][:height]


def _line(text: str, width: int, shown: Shown, style: str = "") -> Text:
    return Text(shorten(text, width, ascii_only=shown.ascii_only), style, no_wrap=True)


def _head(state: LiveState, width: int, shown: Shown) -> Text:
    counts, dot = state.counts, " | " if shown.ascii_only else " · "
    head = f"{stage_words(state.stage).partition(':')[0]} {state.ended}/{state.trials}"
    parts = [(f"{len(state.running)} running", "", True)]
    for kind, style in (("waiting", _WAIT), ("finished", _GOOD), ("stopped", ""), ("failed", _BAD)):
        parts.append((f"{counts[kind]} {kind}", style if counts[kind] else _DIM, bool(counts[kind])))
    if len(dot.join([head, *(part for part, _, _ in parts)])) > width:  # what there is none of gives way
        parts = [part for part in parts if part[2]]
    text = Text(no_wrap=True)
    text.append(head, "bold")
    for part, style, _ in parts:
        text.append(dot)
        text.append(part, style)
    text.truncate(width)
    return text


def _progress(state: LiveState, width: int, shown: Shown) -> Text:
    done = min(1.0, _done(state))
    size = _BAR if width >= 100 else _BAR // 2
    full = round(done * size)
    bar = ("#" * full + "." * (size - full)) if shown.ascii_only else ("━" * full + "╌" * (size - full))
    used = f"{state.core_seconds * shown.core_hours_per_second:.2g} {shown.unit}-hours"
    texts = [bar, duration(state.elapsed), *_left(state, shown), used]
    for place in (0, 3, 2):  # what gives way first: the bar, what comes after this stage, the time left
        if len("  ".join(filter(None, texts))) > width:
            texts[place] = ""
    texts = list(filter(None, texts))
    text = Text("  ".join(texts).replace("±", "+-" if shown.ascii_only else "±"), no_wrap=True)
    text.truncate(width)
    return text


def _left(state: LiveState, shown: Shown) -> tuple[str, str]:
    """Return the time left of the stage with its error, and what comes after it or was expected; empty where not known."""
    left = state.left
    if left is None:
        return "time left unknown" if state.expected is None else f"expected {duration(state.expected)} in all", ""
    if left.seconds <= 0:
        return "", ""
    about = f"about {duration(left.seconds)} ± {duration(left.error)} left"
    return about, f"+ {duration(shown.later)} to confirm" if state.stage == "search" and shown.later else ""


def _done(state: LiveState) -> float:
    """Return the share of the stage that is done: trials that ended, and the epochs of those that have not."""
    under = [t.epoch / t.epochs for t in state.all.values() if t.state == "running" and t.epochs]
    return (state.ended + sum(under)) / max(1, state.trials)


@dataclass(frozen=True)
class _Column:
    """A column of the running trials."""

    title: str
    width: int
    cell: Callable[[LiveTrial], str]
    left: bool = False  # aligned on the left


def _running(state: LiveState, width: int, room: int, shown: Shown) -> list[Text]:
    """Return the heads and rows of the running trials, newest last, at most ``room`` lines."""
    running = state.running
    if not running:
        text = "starting Ray and its workers" if not state.all else "preparing what comes next"
        if state.all and state.ended >= state.trials:
            text = "all trials of this stage have ended; choosing and measuring"
        return [_line(f"  {text} ...", width, shown, _DIM)]
    room = max(1, min(room, _MOST_TRIALS))
    rows = running if len(running) + 1 <= room else running[: max(0, room - 2)]
    columns = _columns(state, width, shown)
    free = width - 2 - sum(column.width + 2 for column in columns)
    name = max(12, min(free, max([7, *(len(trial.name) for trial in running)])))
    lines = [_row("running", [c.title for c in columns], name, columns, width, shown, _DIM)]
    lines += [_row(trial.name, [c.cell(trial) for c in columns], name, columns, width, shown) for trial in rows]
    hidden = len(running) - len(rows)
    if hidden:
        lines.append(_line(f"  and {hidden} more running", width, shown, _DIM))
    return lines


def _columns(state: LiveState, width: int, shown: Shown) -> list[_Column]:
    """Return the columns that fit, the first to give way last in this order: epoch, gain, to best, curve, device, time."""
    best = {scale: one.gain for scale, one in state.best.items()}
    low: dict[int, float] = {}
    for trial in state.running:
        known = [value for value in trial.curve if not math.isnan(value)]
        if known:
            low[trial.scale] = min(low.get(trial.scale, math.inf), *known, *known)

    def to_best(trial: LiveTrial) -> str:
        if trial.gain is None or trial.scale not in best:
            return ""
        behind = trial.gain - best[trial.scale]
        return "best" if behind >= 0 else f"{behind:+.2f}"

    def curve(trial: LiveTrial) -> str:
        bottom, top = low.get(trial.scale, 0.0), best.get(trial.scale, 0.0)
        return sparkline(trial.curve, 9, bottom, top, ascii_only=shown.ascii_only)

    device = max([3, *(len(trial.device) for trial in state.running)])
    time = max([4, *(len(_clock(state.seconds_of(trial))) for trial in state.running)])
    every = {
        "epoch": _Column("epoch", 5, lambda t: f"{t.epoch}/{t.epochs}" if t.epochs else "-"),
        "curve": _Column("curve", 9, curve, left=True),
        "gain": _Column("gain dB", 7, lambda t: "" if t.gain is None else f"{t.gain:+.2f}"),
        "to best": _Column("to best", 7, to_best),
        "device": _Column("on", device, lambda t: t.device or "-", left=True),
        "time": _Column("time", time, lambda t: _clock(state.seconds_of(t))),
    }
    kept = dict(every)
    for name in ("time", "device", "curve"):
        if width - 2 - sum(column.width + 2 for column in kept.values()) >= 22:
            break
        del kept[name]
    return list(kept.values())


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02}"
    )


def _row(
    name: str, cells: list[str], name_width: int, columns: list[_Column], width: int, shown: Shown, style: str = ""
) -> Text:
    texts = [shorten_name(name, name_width, ascii_only=shown.ascii_only).ljust(name_width)]
    for cell, column in zip(cells, columns, strict=True):
        cell = shorten(cell, column.width, ascii_only=shown.ascii_only)
        texts.append(cell.ljust(column.width) if column.left else cell.rjust(column.width))
    return _line("  " + "  ".join(texts).rstrip(), width, shown, style)


def _best(state: LiveState, width: int, shown: Shown) -> list[Text]:
    """Return the best trial of every scale so far beside the paper's network of the same search."""
    best, references = state.best, state.references
    if not best:
        return []
    size = max(len(one.name) for one in best.values())
    lines = [_line("  best so far", width, shown, _DIM)]
    for scale, one in best.items():
        over = ""
        if one.reference:
            over = "  the paper's network"
        elif scale in references and state.stage == "search":
            over = f"  {one.gain - references[scale]:+.2f} over the paper's network"
        name = shorten_name(one.name, max(12, min(size, width - 14)), ascii_only=shown.ascii_only)
        lines.append(
            _line(f"  {name.ljust(min(size, max(12, width - 14)))}  {one.gain:+.2f} dB{over}", width, shown, _GOOD)
        )
    return lines


def _decision(state: LiveState, width: int, most: int, shown: Shown) -> list[Text]:
    decided = state.decision is not None and state.stage == "search"
    text = decision_words(state.decision) if decided and state.decision is not None else shown.last
    if not text:
        return []
    title = "last decision  " if decided else "last  "
    text = text.replace("±", "+-") if shown.ascii_only else text
    lines = textwrap.wrap(f"{title}{text}", width, subsequent_indent=" " * len(title))
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} ..."]
    return [_line(line, width, shown) for line in lines]
