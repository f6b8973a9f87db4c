"""`Event`, what happened to a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["Event", "Listener"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial."""

    kind: Literal[
        "start", "report", "fault", "end"
    ]  #: ``fault``: Tune begins the trial again; no kill takes ``end`` back
    trial_id: str
    name: str  #: of the trial in tables, with its seed in stages that train one configuration from several
    spec: TrialSpec
    stage: str  #: ``search``, ``confirm``, ``judge`` or ``table``
    trials: int  #: that the stage will have at most
    report: TrialReport | None = None  #: the trial's last report; None: it has sent none
    outcome: Outcome | None = None  #: of ``end``; None: the trial runs
    failure: str = ""  #: what went wrong, in a line, of ``fault`` and of a failed trial's ``end``


Listener = Callable[[Event], None]  #: is called with every event
