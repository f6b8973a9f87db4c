"""A trial survives the death of the process that it was about to reuse.

Ray Tune (2.60) begins a trial again whose process dies while it runs, or while it starts. Where a process of an earlier trial
dies while it is being reset for the next one, Tune hears of it twice, takes the second time for another failure of a trial that
waits, and gives it up: a trial that never ran has failed. `patient_resets` mends that for the time of a stage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.exceptions import RayActorError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial

__all__ = ["patient_resets"]


@contextmanager
def patient_resets() -> Iterator[None]:
    """Within the block such a trial is begun again, and counts one failure."""
    before = TuneController._trial_task_failure

    def failure(controller: Any, trial: Trial, exception: Exception) -> None:
        controller._resetting_trials.discard(trial)
        if trial.status == Trial.PENDING and isinstance(exception, RayActorError):
            if (
                trial not in controller._trial_to_actor
            ):  # the death was heard of already, and the trial waits for another
                return
            controller._set_trial_status(trial, Trial.RUNNING)  # as Tune does with one that dies while it starts
        before(controller, trial, exception)

    TuneController._trial_task_failure = failure
    try:
        yield
    finally:
        TuneController._trial_task_failure = before
