"""Trial events, and the functions that listen to them."""

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
    """Start, report, fault or end of a trial."""

    #: Kind of the event. After a ``fault`` Tune restarts the trial. An ``end`` is sent once a durable snapshot includes it.
    kind: Literal["start", "report", "fault", "end"]
    trial_id: str
    name: str  #: name of the trial in tables; includes the seed in stages that train a configuration with several seeds
    spec: TrialSpec
    stage: str  #: name of the stage: ``search``, ``confirm``, ``judge`` or ``table``
    trials: int  #: maximum number of trials of the stage
    report: TrialReport | None = None  #: latest report of the trial; None: it has sent none
    outcome: Outcome | None = None  #: outcome of the trial, for ``end``; None: the trial has not ended
    failure: str = ""  #: error message in one line, for ``fault`` and for the ``end`` of a failed trial


Listener = Callable[[Event], None]  #: a function called with every event
