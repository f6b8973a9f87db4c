"""Trial events, and the functions that listen to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["Event", "EventKind", "Listener"]


EventKind = Literal["start", "report", "pause", "fault", "end", "restored"]


@dataclass(frozen=True)
class Event:
    """Start, report, pause, fault or end of a trial, or its state after a resume."""

    #: Kind of the event. After a ``fault`` Tune restarts the trial. A ``pause`` frees its slot; a later ``start`` resumes it. An
    #: ``end`` is sent once a durable snapshot includes it. After a resume, ``restored`` comes first, for every trial of the
    #: snapshot: with its outcome if it had ended, ``waiting`` if it was paused, and ``interrupted`` if it goes on.
    kind: EventKind
    trial_id: str
    name: str  #: name of the trial in tables; includes the seed in stages that train a configuration with several seeds
    spec: TrialSpec
    stage: str  #: name of the stage: ``search``, ``confirm``, ``judge`` or ``table``
    trials: int  #: maximum number of trials of the stage
    report: TrialReport | None = None  #: latest report of the trial; None: it has sent none
    outcome: Outcome | None = None  #: outcome of the trial, for ``end`` and ``restored``; None: the trial has not ended
    failure: str = ""  #: error message in one line, for ``fault`` and for the ``end`` of a failed trial
    decision: Decision | None = None  #: latest decision about the trial, in a search with pauses


Listener = Callable[[Event], None]  #: a function called with every event
