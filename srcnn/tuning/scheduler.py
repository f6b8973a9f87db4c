"""Early stopping that compares like with like.

Successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020) stops a trial that is
worse than the others at the same resource. Here the others are those of the same scale, the resource is training pixels
(an epoch of a search is a fixed share of the pixel budget), reference rows are never stopped, and a restored search
starts with what its trials had reported, where Tune's own ASHA forgets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from srcnn.tuning.objective import FAILED, METRIC

__all__ = ["PerScaleASHA"]


class PerScaleASHA(FIFOScheduler):  # type: ignore[misc]
    """One ASHA for each scale.

    Args:
        scales: the scales of the search.
        epochs: reports of a full run.
        grace: epochs before a trial may be stopped.
        reduction: one in ``reduction`` trials goes on at each rung.
    """

    def __init__(self, scales: Iterable[int], epochs: int, grace: int = 1, reduction: float = 3) -> None:
        super().__init__()
        self._asha = {
            scale: ASHAScheduler(
                time_attr="epoch",
                metric=METRIC,
                mode="max",
                max_t=epochs,
                grace_period=min(grace, epochs),
                reduction_factor=reduction,
            )
            for scale in scales
        }

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return METRIC

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Tune's offer of a metric: declined, there is one."""
        return not metric and not mode

    def _of(self, trial: Trial) -> ASHAScheduler:
        return self._asha[trial.config["scale"]]

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """A new trial, or one of a restored search, whose curve is then recorded again."""
        scheduler = self._of(trial)
        scheduler.on_trial_add(tune_controller, trial)
        for epoch, value in enumerate((trial.last_result or {}).get("curve", ()), start=1):
            scheduler.on_trial_result(tune_controller, trial, {"epoch": epoch, METRIC: value})

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Stop or go on. A failed trial ends and leaves no figure behind for others to be measured against."""
        if result[METRIC] <= FAILED:
            return str(TrialScheduler.STOP)
        decision: str = self._of(trial).on_trial_result(tune_controller, trial, result)
        if trial.config["baseline"] and result["epoch"] < result["epochs"]:
            return str(TrialScheduler.CONTINUE)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The end of a trial."""
        if result.get(METRIC, FAILED) > FAILED:
            self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """A trial that ended before it ran."""
        self._of(trial).on_trial_remove(tune_controller, trial)
