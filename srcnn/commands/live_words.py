"""Words and small drawings for the state of a running search: times, curves as one line, the last decision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from srcnn.config.quantities import counted
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

__all__ = [
    "clean",
    "decision_words",
    "duration",
    "end_words",
    "resumed_words",
    "shorten",
    "shorten_name",
    "sparkline",
    "stage_words",
]

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"  # for terminals without Unicode
_STAGES = {
    "search": "search",
    "confirm": "confirmation: the best configurations again with new seeds, to choose among them",
    "judge": "judging: the winners and the paper's network with further seeds",
    "table": "table",
}


def clean(text: str) -> str:
    """Return a text in which every character can be printed: line breaks become spaces, control characters question marks."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def duration(seconds: float) -> str:
    """Return a time such as ``42 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def shorten(text: str, width: int, *, ascii_only: bool = False) -> str:
    """Return a text cut to a width, with a sign that something is missing."""
    if len(text) <= width:
        return text
    sign = "~" if ascii_only else "…"
    return text[: max(0, width - 1)] + sign if width > 0 else ""


def shorten_name(name: str, width: int, *, ascii_only: bool = False) -> str:
    """Return the name of a trial cut to a width; the seed at its end is kept, which alone tells some trials apart."""
    head, seed, number = name.rpartition(" seed ")
    tail = f"{seed}{number}"
    if len(name) <= width or not seed or width - len(tail) < 12:
        return shorten(name, width, ascii_only=ascii_only)
    return shorten(head, width - len(tail), ascii_only=ascii_only) + tail


def sparkline(values: Sequence[float], width: int, low: float, high: float, *, ascii_only: bool = False) -> str:
    """Return values as a line of bars, one character each; of more values than fit, the last.

    Args:
        values: values in their order; NaN becomes a space.
        width: maximum number of characters.
        low, high: values of the lowest and highest bar.
        ascii_only: whether the terminal has no Unicode.
    """
    bars = _ASCII_BARS if ascii_only else _BARS
    span = high - low
    shown = list(values)[-width:] if width > 0 else []

    def bar(value: float) -> str:
        if math.isnan(value):
            return " "
        share = (value - low) / span if span > 0 else 1.0
        return bars[min(len(bars) - 1, max(0, int(share * len(bars))))]

    return "".join(map(bar, shown))


def stage_words(stage: str) -> str:
    """Return what a stage is, in words."""
    return _STAGES.get(stage, stage)


def resumed_words(state: LiveState) -> str:
    """Return what a resumed stage found, in words, after its events ``restored``."""
    # Tune makes every trial that had not ended pending: whether it ran or waited when the search ended is not known.
    waiting = state.counts["waiting"]
    return f"resumed: {state.ended} of {counted(state.trials, 'trial')} had ended, {waiting} wait at their last epoch"


def decision_words(decision: Mapping[str, Any]) -> str:
    """Return the latest decision in words.

    Args:
        decision: `srcnn.tuning.driver.live_state.LiveState.decision`.
    """
    name, epoch, by = decision["name"], decision.get("epoch", 0), decision.get("by")
    kind, instead = decision.get("kind"), decision.get("instead", "")
    got = f", {instead} got its slot" if instead else ""
    if kind == "start":
        why = {"given": "it was given", "grid": "next of the grid", "random": "drawn at random"}
        text = f"{name} starts: {why.get(str(by), 'the model chose it')}"
    elif kind == "pause":
        text = f"{name} waits after epoch {epoch}{got}"
    elif kind == "resume":
        text = f"{name} goes on after epoch {epoch}"
    elif kind == "stop":
        text = f"{name} was stopped after epoch {epoch}{got}"
    else:
        text = f"{name} reached its last epoch"
    belief = _belief(decision)
    return clean(f"{text}; {belief}" if belief else text)


def _belief(decision: Mapping[str, Any]) -> str:
    factor = PAPER_GAIN.get(decision.get("scale", 0))
    predicted, best, spread = (decision.get(name) for name in ("predicted", "best", "spread"))
    if factor is None or predicted is None:
        return ""
    around = "" if spread is None else f" ± {spread * factor:.2f}"
    against = "" if best is None else f", the best {best * factor:+.2f}"
    return f"expected {predicted * factor:+.2f}{around} dB{against}"


def end_words(event: Event) -> str:
    """Return how a trial ended, in words, without its name."""
    if event.outcome is Outcome.FAILED:
        return f"failed: {clean(event.failure) or 'no reason given'}"
    figures = None if event.report is None else event.report.figures
    if event.report is None or figures is None:
        return str(event.outcome)
    text = f"{event.outcome}, {figures.best_val_gain:+.2f} dB"
    if event.outcome is not Outcome.FINISHED:
        text += f" at epoch {event.report.epoch} of {event.report.epochs}"
    return f"{text}, {figures.train_seconds:.0f} s"
