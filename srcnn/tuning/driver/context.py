"""Process-local objects of a stage, which its callback, scheduler and searcher use: tracker, time budget, listeners.

Tune pickles callback, scheduler and searcher when a stage starts, and a restored stage continues with copies. Tracker, time
budget and listeners cannot be pickled. The three leave them out of their pickles, and `srcnn.tuning.driver.stage.run_stage`
sets them again after a restore.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ray.tune.experiment import Trial

from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.driver.events import Event, Listener
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.decision import Decision

__all__ = ["DriverContext", "StageRun"]


@dataclass(frozen=True)
class DriverContext:
    """Process-local objects that the caller of `srcnn.tuning.driver.stage.run_stage` passes to a stage."""

    tracker: Tracker  #: tracker with an open search
    time: StageTime = field(default_factory=StageTime)  #: time budget, as it applies to the stage
    listeners: tuple[Listener, ...] = ()  #: functions called with every event, in the thread that runs the stage


@dataclass
class StageRun:
    """Mutable state of one run of a stage, from its start or restore to its end."""

    context: DriverContext
    trials: int  #: maximum number of trials of the stage
    expected: set[str] = field(default_factory=set)  #: ids of the trials that Tune must restore when a stage is resumed
    errors: Mapping[str, BaseException] = field(default_factory=dict)  #: latest error of each trial, by trial id
    disk_full: bool = False  #: whether a full disk ended the stage
    kept: int = 0  #: modification time of Tune's state in the latest snapshot, in nanoseconds
    reported: dict[str, Trial] = field(default_factory=dict)  #: trials that have reported and may pause, by trial id
    #: What a search with pauses decided about a trial, by trial id
    decisions: Callable[[str], Sequence[Decision]] = lambda _: ()
    #: Lets waiting trials continue before anything else, by their ids
    continue_first: Callable[[Sequence[str]], None] = lambda _: None
    #: End events not yet in a durable snapshot: if the process is killed, the resumed stage repeats these trials' ends.
    pending_ends: list[Event] = field(default_factory=list)

    def tell(self, event: Event) -> None:
        """Call every listener with an event."""
        for listener in self.context.listeners:
            listener(event)
