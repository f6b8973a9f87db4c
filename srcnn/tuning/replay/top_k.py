"""Top-k after one epoch: a scheduler for comparison.

Configurations train for one epoch; then the best k train to the end and the others are discarded (Egele, Guyon, Sun and
Balaprakash, "Is One Epoch All You Need For Multi-Fidelity Hyperparameter Optimization?", arXiv:2307.15422, 2023; there k = 3,
and all configurations form one round). Deviations, which let it have a result at any time and use any number of workers: trials
form rounds in the order of their start, and a round does not wait for the one before; the trials that a round leaves behind
wait, and continue, best first, only when there are no new configurations left.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from srcnn.tuning.trials.report import TrialReport

__all__ = ["TopK"]


class TopK(FIFOScheduler):  # type: ignore[misc]
    """Scheduler that pauses every trial after one epoch and continues the best of each round.

    Args:
        best: number of trials of a round that train to the end.
        size: number of trials in a round.
    """

    def __init__(self, best: int, size: int) -> None:
        super().__init__()
        self._best, self._size = best, size
        self._added = 0
        self._latest: Trial | None = None  # the trial that was added last; no other can be pending
        self._open: dict[str, int] = {}  # rounds of the trials whose first epoch has not ended, by their ids
        self._rounds: defaultdict[int, list[tuple[float, Trial]]] = defaultdict(list)  # objective after the first epoch
        self._chosen: deque[Trial] = deque()  # paused trials that train to the end, in this order

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Put a new trial into the current round."""
        self._open[trial.trial_id] = self._added // self._size
        self._added += 1
        self._latest = trial

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pause a trial after its first epoch; stop a failed one."""
        report = TrialReport.from_json(result)
        if report.failed:
            return str(TrialScheduler.STOP)
        if trial.trial_id not in self._open or report.last:
            return str(TrialScheduler.CONTINUE)
        self._enter(trial, report.objective)
        return str(TrialScheduler.PAUSE)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Note the end of a trial; if its first epoch failed, its round does not wait for it."""
        self._enter(trial, -math.inf)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Note that a trial ended while it was not running."""
        self._enter(trial, -math.inf)

    def _enter(self, trial: Trial, value: float) -> None:
        """Record a trial in its round; at the end of a round choose its best."""
        number = self._open.pop(trial.trial_id, None)
        if number is None:
            return
        self._rounds[number].append((value, trial))
        if len(self._rounds[number]) == self._size:
            ranked = sorted(self._rounds[number], key=lambda entry: -entry[0])
            self._chosen += [some for worth, some in ranked[: self._best] if worth > -math.inf]

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the next chosen trial, else the new one, else the best of those left behind; None if none is left."""
        while self._chosen and self._chosen[0].status != Trial.PAUSED:
            self._chosen.popleft()
        if self._chosen:
            return self._chosen[0]
        if self._latest is not None and self._latest.status == Trial.PENDING:
            return self._latest
        waiting = [entry for some in self._rounds.values() for entry in some if entry[1].status == Trial.PAUSED]
        return max(waiting, key=lambda entry: entry[0], default=(0.0, None))[1]
