"""`Decision`: what a search decided about one trial, and what its model believed at that moment.

The decisions of a trial are kept as JSON in a tag of its run (`srcnn.tuning.tracking.names.TAG_DECISIONS`), so that
``runs.py --why`` can say why a trial was started, paused, resumed or stopped. MLflow limits the length of a tag, so the text
is bounded: if there are too many decisions, the first and the latest are kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

__all__ = ["MOST_CHARACTERS", "By", "Decision", "Kind", "decisions_from", "decisions_json"]

Kind = Literal["start", "pause", "resume", "stop", "finish"]
By = Literal["given", "grid", "random", "model"]

MOST_CHARACTERS = 4500  #: maximum length of the text: MLflow accepts 5000 characters in every store
_DIGITS = 5  # significant digits that are kept of a number
_MOST_TEXT = 200  # characters that are kept of a name or note


@dataclass(frozen=True)
class Decision:
    """One decision about a trial.

    Gains are in units of the objective: the gain over bicubic divided by the paper's gain at that scale. Multiplied by
    `srcnn.tuning.trials.objective.PAPER_GAIN` they are in dB.
    """

    kind: Kind  #: what was decided
    epoch: int  #: number of epochs that the trial had finished; 0 at its start
    by: By  #: given: a person gave the configuration; grid, random: the order did not depend on results; model: a prediction
    predicted: float | None = None  #: predicted end of the trial's curve, as an objective; None: there was no model yet
    spread: float | None = None  #: standard deviation of this prediction
    best: float | None = None  #: predicted end of the best trial of the same scale, as an objective
    best_name: str = ""  #: name of that trial
    value: float | None = None  #: expected improvement of the scale's best per core-second, as an objective per second
    instead: str = ""  #: for a pause or stop: name of what got the slot
    rivals: int = 0  #: number of waiting trials that were compared
    note: str = ""  #: further words for a person, a part of a sentence

    def to_json(self) -> dict[str, object]:
        """Return JSON-serializable data without fields that have their default, and with rounded numbers."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name: _short(value) for name, value in kept.items() if not _is_nan(value)}


def _short(value: object) -> object:
    if isinstance(value, str):
        return value[:_MOST_TEXT]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def decisions_json(decisions: Sequence[Decision]) -> str:
    """Return the text of a trial's decisions, shorter than `MOST_CHARACTERS`, for `decisions_from`.

    If all of them would be longer, the first and as many as possible of the latest are kept. The note of the first after the
    gap then says how many are missing.
    """
    for dropped in range(len(decisions)):
        kept = list(decisions)
        if dropped:
            after = kept[1 + dropped :]
            gap = f"{dropped} decisions before this one were not kept"
            kept = kept[:1]
            if after:
                kept = [*kept, replace(after[0], note="; ".join(filter(None, (gap, after[0].note)))), *after[1:]]
            else:
                kept = [
                    replace(kept[0], note="; ".join(filter(None, (kept[0].note, f"{dropped} later ones not kept"))))
                ]
        text = json.dumps([decision.to_json() for decision in kept], separators=(",", ":"), ensure_ascii=False)
        if len(text) < MOST_CHARACTERS:
            return text
    return "[]"


def decisions_from(text: str) -> list[Decision]:
    """Return the decisions in a text of `decisions_json`, ignoring fields of later versions.

    Raises:
        ValueError: the text is damaged.
    """
    known = {field.name for field in fields(Decision)}
    rows = json.loads(text)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"decisions: must be a list of decisions, but got {text[:80]!r}")
    try:
        found = [Decision(**{name: value for name, value in row.items() if name in known}) for row in rows]
    except TypeError as error:  # a field without a default is missing
        raise ValueError(f"decisions: {error}") from None
    for decision in found:
        if (
            decision.kind not in get_args(Kind)
            or decision.by not in get_args(By)
            or not isinstance(decision.epoch, int)
        ):
            raise ValueError(f"decisions: {decision.kind!r} by {decision.by!r} is not a decision of this version")
    return found
