"""Time budget as it applies to one stage of a search.

Tune pickles searcher and scheduler, and continues with copies after a restore. A running clock cannot be pickled, so both leave
it out of their pickles (`TimeAware`), and the driver sets it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from srcnn.tuning.algorithms.time_budget import Deadline

__all__ = ["StageTime", "TimeAware"]


@dataclass(frozen=True)
class StageTime:
    """Time budget of a stage. Without a deadline, time is unlimited and nothing is recorded."""

    deadline: Deadline | None = None
    ends: bool = True  #: whether the deadline ends the stage; False for a confirmation, which has reserved time

    @property
    def is_up(self) -> bool:
        """Whether the stage must end now."""
        return self.ends and self.deadline is not None and self.deadline.over

    def keep(self) -> None:
        """Save the time spent so far."""
        if self.deadline is not None:
            self.deadline.keep()

    def note_network(self) -> None:
        """Record that a trial of the search has produced a network."""
        if self.ends and self.deadline is not None:
            self.deadline.note_network()

    def note_full_trial(self, scale: int, seconds: float, value: float = 0.0, *, reference: bool = False) -> None:
        """Record a full trial of the search: its duration in seconds, its objective, and whether it is of the paper's network."""
        if self.ends and self.deadline is not None:
            self.deadline.note(scale, seconds, value, reference=reference)

    def note_report(self, scale: int, seconds: float, epoch: int, epochs: int) -> None:
        """Record the time of a trial of the search until the end of ``epoch``, out of ``epochs``, in seconds."""
        if self.ends and self.deadline is not None:
            self.deadline.note_report(scale, seconds, epoch, epochs)


@runtime_checkable
class TimeAware(Protocol):
    """A searcher or scheduler that uses the time budget."""

    def use_time(self, time: StageTime) -> None:
        """Set the time budget of the stage; without one, time is unlimited."""
