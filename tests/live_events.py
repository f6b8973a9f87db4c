"""Events of a search that never ran, for the tests of what is shown."""

from __future__ import annotations

from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event, EventKind
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["event", "report"]


def report(*gains: float, epochs: int = 9, seconds: float = 7.0) -> TrialReport:
    """The report after as many epochs as there are gains in dB, at x3."""
    curve = tuple(gain / PAPER_GAIN[3] for gain in gains)
    figures = EpochFigures(curve[-1], max(curve), best_val_gain=max(gains), train_seconds=seconds)
    return TrialReport(len(gains), epochs, curve, figures, device="cpu")


def event(
    kind: EventKind, trial: str, gains: tuple[float, ...] = (), outcome: Outcome | None = None, **more: Any
) -> Event:
    """An event of the trial ``trial`` at x3 in a stage of 12 trials."""
    fields: dict[str, Any] = {
        "stage": "search",
        "trials": 12,
        "failure": "",
        "decision": None,
        "reference": False,
        **more,
    }
    spec = TrialSpec(TrainConfig(epochs=1, scale=3), reference=fields["reference"])
    known = report(*gains) if gains else None
    decision: Decision | None = fields["decision"]
    name = f"x3 9-1-5 ({trial}-32)"
    return Event(
        kind, trial, name, spec, fields["stage"], fields["trials"], known, outcome, fields["failure"], decision
    )
