"""What belongs to the process that runs a stage, handed from its caller to the callback, the scheduler and the searcher.

Tune pickles these three when a stage starts, and a restore goes on with copies. A tracker, a clock and a progress bar are no part
of a pickle, so the three leave them out, and `srcnn.tuning.driver.stage.run_stage` hands them over again after a restore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.driver.events import Event, Listener
from srcnn.tuning.tracking.tracker import Tracker

__all__ = ["DriverContext", "StageRun"]


@dataclass(frozen=True)
class DriverContext:
    """What the caller of `srcnn.tuning.driver.stage.run_stage` gives to a stage."""

    tracker: Tracker  #: with its search open
    time: StageTime = field(default_factory=StageTime)  #: the time budget, as the stage sees it
    listeners: tuple[Listener, ...] = ()  #: called with every event, on the thread that runs the stage


@dataclass
class StageRun:
    """One run of a stage, from its start or its restore to its end."""

    context: DriverContext
    trials: int  #: of the stage at most
    expected: set[str] = field(default_factory=set)  #: trials that a resumed stage must know
    errors: Mapping[str, BaseException] = field(default_factory=dict)  #: by trial id, its newest one
    disk_full: bool = False  #: whether that ended the stage
    kept: int = 0  #: when Tune wrote the state that was copied last
    untold: list[Event] = field(
        default_factory=list
    )  #: end events not yet in a durable snapshot, so a kill takes them back

    def tell(self, event: Event) -> None:
        """Call every listener."""
        for listener in self.context.listeners:
            listener(event)
