"""Figures and decisions of a search in words, for its watch page."""

from __future__ import annotations

import math

from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.watch.state import DecisionMade, Live, TimeLeft

__all__ = ["ago", "core_time", "decibel", "decision_text", "difference", "duration", "figure", "plural", "time_left"]

_MINUTE, _HOUR = 60, 3600
_STARTED = {
    "given": "it was given to run first",
    "grid": "it is the next combination of the grid",
    "random": "it was drawn at random",
    "model": "the model chose it",
}


def plural(count: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 trial`` and ``3 trials``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def duration(seconds: float) -> str:
    """Return a time such as ``45 s``, ``12 min 5 s`` or ``3 h 20 min``."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def ago(seconds: float) -> str:
    """Return how long ago something was, such as ``just now`` or ``5 s ago``."""
    return "just now" if seconds < 1.5 else f"{duration(seconds)} ago"


def core_time(seconds: float) -> str:
    """Return a time of slots together, such as ``0.42 core-hours``."""
    return f"{seconds / _HOUR:.2f} core-hours"


def time_left(left: TimeLeft | None) -> str:
    """Return the expected time to the end of the stage with its error."""
    if left is None:
        return "not known yet"
    return f"about {duration(left.seconds)}, give or take {duration(left.error)}"


def figure(gain: float | None) -> str:
    """Return a gain in dB without its unit, such as ``+1.234``; a dash if there is none."""
    return "–" if gain is None or not math.isfinite(gain) else f"{gain:+.3f}".replace("-", "−")


def decibel(gain: float | None) -> str:
    """Return a gain with its unit, such as ``+1.234 dB``; a dash if there is none."""
    text = figure(gain)
    return text if text == "–" else f"{text} dB"


def difference(gain: float | None, other: float | None) -> str:
    """Return the difference of two gains without its unit, a dash if one is missing."""
    return figure(None if gain is None or other is None else gain - other)


def decision_text(live: Live) -> str:
    """Return the last decision of the search in one sentence; empty if there is none."""
    made = live.decision
    if made is None:
        return ""
    at, reason = f"after epoch {made.epoch}", _belief(made)
    name = made.name if made.name.startswith(f"x{made.scale} ") else f"x{made.scale} {made.name}"
    if made.kind == "start":
        text = f"{name} was started: {_STARTED.get(made.by, made.by)}"
    elif made.kind == "pause":
        text = f"{name} was paused {at}" + (f", and {made.instead} got its place" if made.instead else "")
    elif made.kind == "resume":
        text = f"{name} goes on {at}" + (
            f", before {plural(made.rivals, 'other waiting trial')}" if made.rivals else ""
        )
    elif made.kind == "stop":
        text = f"{name} was stopped {at}" + (f", and {made.instead} got its place" if made.instead else "")
    else:
        text = f"{name} reached its last epoch, {made.epoch}"
    note = f" ({made.note})" if made.note else ""
    return f"{text}{'; ' if reason else ''}{reason}{note}."


def _belief(made: DecisionMade) -> str:
    paper = PAPER_GAIN.get(made.scale)
    if made.predicted is None or paper is None:
        return ""
    spread = "" if made.spread is None else f" ± {made.spread * paper:.2f}"
    text = f"it is expected to end at {made.predicted * paper:.2f}{spread} dB"
    if made.best is None:
        return text
    return f"{text}, the best of x{made.scale} at {made.best * paper:.2f} dB"
