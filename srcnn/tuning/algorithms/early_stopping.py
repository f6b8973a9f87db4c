"""Early stopping of trials, separately for each scale, so that trials of different scales are never compared.

The resource of successive halving is the epoch. All epochs have the same number of training pixels, so trials at the same rung
have used the same amount of data, whatever the size of their networks. Reference trials are never stopped. After a restore, the
earlier reports are passed to the schedulers again, because Tune's schedulers do not keep them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from srcnn.tuning.adapters.ray_internals import forgive
from srcnn.tuning.algorithms.method_names import FREEZE_THAW, SCHEDULERS
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["EPOCHS", "FREEZE_THAW", "GRACE", "REDUCTION", "SCHEDULERS", "PerScale"]

EPOCHS = 9  #: number of reports of a full trial of a search; ASHA's rungs are at epochs 2 and 6
REDUCTION = 3  #: reduction factor: about one in this number of trials continues at each rung

#: Epoch before which no trial is stopped; rungs are at epochs 2 and 6 of 9. The first report comes soon after the warm-up. On the
#: recorded grid (`srcnn.tuning.replay.simulator`), its rank correlation with the final values (Spearman) is 0.5; that of the
#: second report is 0.7. A rung at the first epoch loses the best configuration in half of all searches.
GRACE = 2


class PerScale(FIFOScheduler):  # type: ignore[misc]
    """Scheduler that applies a separate scheduler to the trials of each scale.

    Args:
        kind: one of `SCHEDULERS`, but not `FREEZE_THAW`.
        scales: scales of the search.
        epochs: number of reports of a full trial.
    """

    def __init__(self, kind: str, scales: Iterable[int], epochs: int) -> None:
        super().__init__()
        self._schedulers = {scale: _make(kind, epochs) for scale in scales}
        self._added = 0
        self._time = StageTime()

    def use_time(self, time: StageTime) -> None:
        """Set the time budget of the stage; without one, time is unlimited. It is not pickled."""
        self._time = time

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_time": StageTime()}

    @property
    def metric(self) -> str:
        """Name of the metric on which decisions are based."""
        return METRIC

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Reject a metric or mode from Tune's configuration: both are fixed."""
        return not metric and not mode

    def _of(self, trial: Trial) -> FIFOScheduler:
        return self._schedulers[TrialSpec.from_tune(trial.config).scale]

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Add a new trial, or one of a restored search: its earlier reports are passed to the scheduler again."""
        before = np.random.get_state()
        np.random.seed(self._added)  # Ray draws the bracket of a trial from numpy's global generator
        self._of(trial).on_trial_add(tune_controller, trial)
        np.random.set_state(before)
        self._added += 1
        last = TrialReport.last_of(trial.last_result)
        for epoch, value in enumerate(() if last is None else last.curve, start=1):
            self._judge(tune_controller, trial, {"epoch": epoch, METRIC: value})

    def _judge(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Return the decision of the scheduler for the trial's scale."""
        scheduler = self._of(trial)
        decision = str(scheduler.on_trial_result(tune_controller, trial, result))
        if isinstance(scheduler, MedianStoppingRule):
            forgive(scheduler, trial)  # reference trials and restored trials must be able to continue
        # With too few trials to compare, the median rule pauses a trial so that others can start; resuming it would restart it.
        return str(TrialScheduler.CONTINUE) if decision == TrialScheduler.PAUSE else decision

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Decide whether a trial stops or continues. A failed trial stops, and is not used in later comparisons."""
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
        """Record the end of a trial, for the time budget and for the scheduler of its scale."""
        report = TrialReport.last_of(result)
        if report is not None and not report.failed:
            self._time.note_network()
            if report.last and report.seconds is not None:
                spec = TrialSpec.from_tune(trial.config)
                self._time.note_full_trial(spec.scale, report.seconds, report.curve[-1], reference=spec.reference)
            self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Remove a trial that ended before it was started."""
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
