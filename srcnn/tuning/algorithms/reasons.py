"""What a search decided about its trials, and what its model of curves believed then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from srcnn.tuning.algorithms.allocator import Option
from srcnn.tuning.trials.decision import Decision

__all__ = ["Reasons"]


class Reasons:
    """Keeps the decisions about each trial; they are part of the searcher's state."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  #: names of the trials, by their ids
        self._decisions: dict[str, list[Decision]] = {}

    def of(self, trial_id: str) -> Sequence[Decision]:
        """Return what was decided about a trial so far, and why."""
        return self._decisions.get(trial_id, ())

    def keep(
        self,
        trial_id: str,
        kind: Literal["start", "pause", "resume"],
        epoch: int,
        option: Option | None,
        *,
        instead: str = "",
    ) -> None:
        """Keep a decision about a trial.

        Args:
            trial_id: the trial.
            kind: what was decided.
            epoch: number of epochs that the trial had finished.
            option: the option that was taken; None: there was nothing to compare.
            instead: name of what a worker does in the place of a paused trial.
        """
        by: Literal["given", "random", "model"] = "given" if option is None and kind == "start" else "model"
        decision = Decision(kind, epoch, by)
        if option is not None:
            best, value = self.names.get(option.best_trial, ""), option.value
            figures = (option.predicted, option.spread, option.best)
            if kind == "pause":  # the option is what the worker does instead, and so is its prediction
                figures, value = (None, None, option.best), None
            decision = Decision(kind, epoch, option.by, *figures, best, value, instead, option.rivals)
        self._decisions.setdefault(trial_id, []).append(decision)
