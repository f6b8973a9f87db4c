"""Early stopping, each scale by itself, so that a network at x4 is never measured against one at x2.

The resource is the epoch, and every trial's epochs have the same number of training pixels: a wide network and a narrow
one that are stopped at the same rung had the same data. Reference rows are never stopped, and a restored search starts with
what its trials had reported, where Tune's own schedulers forget.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from srcnn.tuning.adapters.ray_internals import forgive
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["EPOCHS", "GRACE", "REDUCTION", "SCHEDULERS", "PerScale"]

EPOCHS = 9  #: reports of a full trial of a search; ASHA's rungs lie at 2 and 6
REDUCTION = 3  #: one in so many trials goes on at each rung

#: No trial stops before this epoch; rungs lie at 2 and 6 of 9. The first report comes soon after the warm-up: of the
#: recorded grid (`srcnn.tuning.replay.simulator`) it ranks configurations by 0.5 (Spearman, against the end), the second by
#: 0.7, and a rung at the first loses the best configuration in half of all searches.
GRACE = 2

#: The choices: asynchronous successive halving; the same in three brackets, of which the later ones stop later or never
#: (Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020); the median rule (Golovin et al., "Google
#: Vizier", KDD 2017); every trial to its end.
SCHEDULERS = ("asha", "hyperband", "median", "none")


class PerScale(FIFOScheduler):  # type: ignore[misc]
    """One scheduler for each scale.

    Args:
        kind: one of `SCHEDULERS`.
        scales: the scales of the search.
        epochs: reports of a full run.
    """

    def __init__(self, kind: str, scales: Iterable[int], epochs: int) -> None:
        super().__init__()
        self._schedulers = {scale: _make(kind, epochs) for scale in scales}
        self._added = 0
        self._time = StageTime()

    def use_time(self, time: StageTime) -> None:
        """Look at this time from now on; before, there is no time budget. It is no part of a pickle."""
        self._time = time

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_time": StageTime()}

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return METRIC

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Tune's offer of a metric: declined, there is one."""
        return not metric and not mode

    def _of(self, trial: Trial) -> FIFOScheduler:
        return self._schedulers[TrialSpec.from_tune(trial.config).scale]

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """A new trial, or one of a restored search, whose curve is then recorded again."""
        before = np.random.get_state()
        np.random.seed(self._added)  # Ray draws a trial's bracket from numpy's own generator
        self._of(trial).on_trial_add(tune_controller, trial)
        np.random.set_state(before)
        self._added += 1
        last = TrialReport.last_of(trial.last_result)
        for epoch, value in enumerate(() if last is None else last.curve, start=1):
            self._judge(tune_controller, trial, {"epoch": epoch, METRIC: value})

    def _judge(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """The decision of the trial's scheduler."""
        scheduler = self._of(trial)
        decision = str(scheduler.on_trial_result(tune_controller, trial, result))
        if isinstance(scheduler, MedianStoppingRule):
            forgive(scheduler, trial)  # reference rows and restored curves go on
        # While it knows too few trials the median rule pauses one so that others may begin: a restart from a checkpoint.
        return str(TrialScheduler.CONTINUE) if decision == TrialScheduler.PAUSE else decision

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Stop or go on. A failed trial ends and leaves no figure behind for others to be measured against."""
        report, spec = TrialReport.from_json(result), TrialSpec.from_tune(trial.config)
        if report.failed:
            return str(TrialScheduler.STOP)
        if report.seconds is not None:
            self._time.note_report(spec.scale, report.seconds, report.epoch, report.epochs)
        if self._time.is_up:
            return str(TrialScheduler.STOP)
        decision = self._judge(tune_controller, trial, result)
        if spec.reference and not report.last:
            return str(TrialScheduler.CONTINUE)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The end of a trial."""
        report = TrialReport.last_of(result)
        if report is not None and not report.failed:
            self._time.note_network()
            if report.last and report.seconds is not None:
                self._time.note_full_trial(TrialSpec.from_tune(trial.config).scale, report.seconds)
            self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """A trial that ended before it ran."""
        self._of(trial).on_trial_remove(tune_controller, trial)


def _make(kind: str, epochs: int) -> FIFOScheduler:
    if kind == "none":
        return FIFOScheduler()
    if kind == "median":
        return MedianStoppingRule(
            time_attr="epoch", metric=METRIC, mode="max", grace_period=min(GRACE, epochs), min_samples_required=3
        )
    return ASHAScheduler(
        time_attr="epoch",
        metric=METRIC,
        mode="max",
        max_t=epochs,
        grace_period=min(GRACE, epochs),
        reduction_factor=REDUCTION,
        brackets=3 if kind == "hyperband" else 1,
    )
