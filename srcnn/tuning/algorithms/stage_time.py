"""What a stage of a search knows of the time budget: `StageTime`, which the driver hands to whoever asks.

Tune pickles its searcher and its scheduler, and goes on with copies of them after a restore. A clock cannot be part of a
pickle, so both leave theirs out of it (`TimeAware`), and the driver hands them the one of its process again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from srcnn.tuning.algorithms.time_budget import Deadline

__all__ = ["StageTime", "TimeAware"]


@dataclass(frozen=True)
class StageTime:
    """The time budget as one stage sees it. Without a deadline there is no budget, and nothing is noted."""

    deadline: Deadline | None = None
    ends: bool = True  #: off only counts the time: a confirmation, for which the time was kept, is not ended

    @property
    def is_up(self) -> bool:
        """Whether the stage has to end now."""
        return self.ends and self.deadline is not None and self.deadline.over

    def keep(self) -> None:
        """Write down what is spent."""
        if self.deadline is not None:
            self.deadline.keep()

    def note_network(self) -> None:
        """A trial of the search has left a network."""
        if self.ends and self.deadline is not None:
            self.deadline.note_network()

    def note_full_trial(self, scale: int, seconds: float) -> None:
        """A full trial of the search took so long."""
        if self.ends and self.deadline is not None:
            self.deadline.note(scale, seconds)

    def note_report(self, scale: int, seconds: float, epoch: int, epochs: int) -> None:
        """A trial of the search took so long for its first ``epoch`` of ``epochs``."""
        if self.ends and self.deadline is not None:
            self.deadline.note_report(scale, seconds, epoch, epochs)


@runtime_checkable
class TimeAware(Protocol):
    """A searcher or a scheduler that looks at the time."""

    def use_time(self, time: StageTime) -> None:
        """Look at this time from now on; before, there is no time budget."""
