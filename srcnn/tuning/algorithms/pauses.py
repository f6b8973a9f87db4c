"""The state of a search whose trials pause: which trial waits, which continues, when the search is over, and why.

`srcnn.tuning.algorithms.study_searcher.StudySearcher` owns it and keeps it in its snapshots;
`srcnn.tuning.algorithms.freeze_thaw.FreezeThaw`, the scheduler, reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from srcnn.tuning.algorithms.allocator import Allocator, Option
from srcnn.tuning.algorithms.early_stopping import GRACE
from srcnn.tuning.algorithms.reasons import Reasons
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.report import TrialReport

__all__ = ["Pauses"]


class Pauses:
    """See the module's docstring.

    Args:
        allocator: decides what a free worker does.
        reasons: keeps the decisions.
    """

    #: Ids of waiting trials that continue before anything else.
    first: tuple[str, ...] = ()

    def __init__(self, allocator: Allocator, reasons: Reasons) -> None:
        self.allocator, self.reasons = allocator, reasons
        self.over = False  #: whether no trial begins or continues any more
        self.continued: str | None = None  #: id of the waiting trial that the next free worker continues
        self._limit: int | None = None
        self._slots: Callable[[], int] | None = None
        self._idle_at = -1  # state of the allocator when it had nothing for a free worker

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_slots": None}

    def use_limits(self, trials: int, slots: Callable[[], int]) -> None:
        """Set the number of trials, and the function that returns how many run at a time; without them there is no limit."""
        if self._limit is None or trials > self._limit:
            self.over = False  # a search that has ended continues with more trials
        self._limit, self._slots, self._idle_at = trials, slots, -1

    def restored(self, before: Pauses) -> None:
        """Take over the limits of another object, after this one was read from a snapshot."""
        self.continued = None  # such a trial is pending in Tune's state, and starts by itself
        if before._limit is not None and before._slots is not None:
            self.use_limits(before._limit, before._slots)

    def full(self, begun: int) -> bool:
        """Return whether no more trials may begin after so many."""
        return self._limit is not None and begun >= self._limit

    @property
    def has_room(self) -> bool:
        """Whether a worker is free and has not been given a waiting trial."""
        busy = self.allocator.count("running")
        return self.continued is None and (self._slots is None or busy < self._slots())

    @property
    def idle(self) -> bool:
        """Whether there was nothing for a free worker, and nothing has changed since."""
        return self._idle_at == self.allocator.version

    def nothing_to_do(self) -> bool:
        """Record that there is nothing for a free worker. Return whether the search is over, because nothing is running."""
        self._idle_at = self.allocator.version
        self.over = not self.allocator.count("running")
        return self.over

    def option(
        self, scale: int, begin: bool, held: Mapping[str, Value] | None, begun: Mapping[int, int], current: str = ""
    ) -> Option | None:
        """Return what a free worker should do for a scale; see `Allocator.choose`.

        Args:
            scale: upscaling factor.
            begin: whether a new configuration may begin.
            held: the only new configuration to consider; None: the best one of many.
            begun: number of trials that have begun, by scale.
            current: id of the trial whose report made the worker free.
        """
        if self.full(sum(begun.values())) and self.allocator.exhausted(scale, begun[scale]):
            return None
        return self.allocator.choose(scale, begin, held, current)

    def continue_first(self, trial_ids: Iterable[str]) -> None:
        """Let trials continue before anything else, as far as they wait.

        A killed driver may not have saved that they continued, and their workers trained further. If such a trial ended without
        another report, its network would be better than its curve says.
        """
        self.first = tuple(filter(self.is_waiting, trial_ids))

    def take_first(self) -> str | None:
        """Return the next trial of `continue_first` that still waits; None: there is none."""
        waiting = tuple(filter(self.is_waiting, self.first))
        self.first = waiting[1:]
        return waiting[0] if waiting else None

    def resume(self, trial_id: str, option: Option | None) -> None:
        """Record that a waiting trial continues on the next free worker; None: without a comparison."""
        self.continued = trial_id
        self.allocator.change(trial_id, "running")
        self.reasons.keep(trial_id, "resume", len(self.allocator.known[trial_id].curve), option)

    def cancel(self, trial_id: str) -> None:
        """Record that a trial runs on, which was to wait, or to continue on the next free worker."""
        if self.continued == trial_id:
            self.continued = None
        if self.is_waiting(trial_id):
            self.allocator.change(trial_id, "running")

    def take_continued(self) -> str | None:
        """Return the id of the waiting trial that a free worker must continue now; None: there is none."""
        trial_id, self.continued = self.continued, None
        return trial_id

    def is_waiting(self, trial_id: str) -> bool:
        """Return whether a trial waits for its turn."""
        known = self.allocator.known.get(trial_id)
        return known is not None and known.state == "waiting"

    def seconds(self, trial_id: str) -> float:
        """Return the time of the finished epochs of a trial, in seconds."""
        known = self.allocator.known.get(trial_id)
        return 0.0 if known is None else known.seconds

    def must_continue(self, trial_id: str, report: TrialReport) -> bool:
        """Record a report. Return whether its trial continues without a comparison.

        That are references, trials in their first epochs, and those that were resumed and repeat their last report.
        """
        seconds = 0.0 if report.figures is None else report.figures.cost_seconds
        news = self.allocator.note(trial_id, report.curve, seconds)
        return not news or report.last or self.allocator.known[trial_id].reference or report.epoch < GRACE

    def pause(self, trial_id: str, epoch: int, option: Option | None) -> None:
        """Record that a trial waits, because its worker takes another option; None: because it is not worth the time."""
        self.allocator.change(trial_id, "waiting")
        taken = ""
        if option is not None:
            taken = "a new configuration" if option.trial is None else self.reasons.names[option.trial]
        self.reasons.keep(trial_id, "pause", epoch, option, instead=taken)

    def end(self, trial_id: str, report: TrialReport | None) -> None:
        """Record the end of a trial with its last report; None: it failed, or it waited."""
        if trial_id not in self.allocator.known:
            return
        if report is None:
            self.allocator.change(trial_id, "stopped" if self.is_waiting(trial_id) else "failed")
        elif report.failed:
            self.allocator.change(trial_id, "failed")
        else:
            self.allocator.change(trial_id, "finished" if report.last else "stopped")
