"""Tune scheduler under which trials pause after an epoch and continue later, and none is stopped before the search ends.

The decisions are those of `srcnn.tuning.algorithms.study_searcher.StudySearcher`, which knows all curves and suggests new
configurations. Tune asks its searcher for new trials and its scheduler for the next trial to run. While a waiting trial is to
continue, the searcher suggests none, and this scheduler names the waiting one. A paused trial's state is in its folder, so a
pause needs no checkpoint of Tune. Users have asked Ray for pausing instead of stopping: ray-project/ray issues 32634 and 44256.
"""

from __future__ import annotations

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from srcnn.tuning.adapters.ray_internals import stop_paused
from srcnn.tuning.algorithms.pauses import Pauses
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["FreezeThaw"]


class FreezeThaw(FIFOScheduler):  # type: ignore[misc]
    """Scheduler for a `StudySearcher` with pauses; see the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self._time = StageTime()
        self._attached: StudySearcher | None = None
        self._pending: dict[str, Trial] = {}
        self._waiting: dict[str, Trial] = {}

    def use_time(self, time: StageTime) -> None:
        """Set the time budget of the stage; without one, time is unlimited. It is not pickled."""
        self._time = time

    def use_searcher(self, searcher: StudySearcher) -> None:
        """Set the searcher of the stage. Required before the first trial; it is not pickled."""
        self._attached = searcher

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_time": StageTime(), "_attached": None, "_pending": {}, "_waiting": {}}

    @property
    def _searcher(self) -> StudySearcher:
        assert self._attached is not None, "use_searcher() must be called first"
        return self._attached

    @property
    def _pauses(self) -> Pauses:
        assert self._searcher.pauses is not None, "a searcher with pauses"
        return self._searcher.pauses

    @property
    def metric(self) -> str:
        """Name of the metric on which decisions are based."""
        return METRIC

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Reject a metric or mode from Tune's configuration: both are fixed."""
        return not metric and not mode

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Add a new trial, or one of a restored search. Tune makes all trials of a restored search pending."""
        if trial.status in (Trial.TERMINATED, Trial.ERROR):
            return
        if self._pauses.is_waiting(trial.trial_id):  # it goes on waiting
            trial.set_status(Trial.PAUSED)
            self._waiting[trial.trial_id] = trial
        else:
            self._pending[trial.trial_id] = trial

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Decide whether a trial continues or waits. A failed trial stops, and so does every trial when the time is up."""
        report, spec = TrialReport.from_json(result), TrialSpec.from_tune(trial.config)
        if report.failed:
            return str(TrialScheduler.STOP)
        # A trial that waits for a new process would take that of a pausing trial, and Tune would give up the new one: while
        # processes start, no trial pauses. Else a search of short epochs would never occupy all its workers.
        starting = any(other.status == Trial.PENDING for other in self._pending.values())
        goes_on = self._searcher.continues(trial.trial_id, report, keep=starting)
        if (seconds := self._pauses.seconds(trial.trial_id)) > 0:
            self._time.note_report(spec.scale, seconds, report.epoch, report.epochs)
        if self._time.is_up:
            return str(TrialScheduler.STOP)
        if goes_on:
            return str(TrialScheduler.CONTINUE)
        self._waiting[trial.trial_id] = trial
        return str(TrialScheduler.PAUSE)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the waiting trial that the searcher continues, else the next new one; at the end, stop those that wait."""
        pauses = self._pauses
        if pauses.over:
            for trial in list(self._waiting.values()):
                if trial.status == Trial.PAUSED:
                    trial.last_result["done"] = True  # marks a trial that was stopped, not interrupted
                    stop_paused(tune_controller, trial)
        elif self._waiting:
            ready = pauses.continued
            if ready is not None and ready in self._waiting and self._waiting[ready].status == Trial.PAUSED:
                pauses.take_continued()
                trial = self._waiting.pop(ready)
                self._pending[ready] = trial
                return trial
        for trial in list(self._pending.values()):
            if trial.status == Trial.PENDING:
                return trial
            self._pending.pop(trial.trial_id)
        return None

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Record the end of a trial for the time budget."""
        report = TrialReport.last_of(result)
        if report is not None and not report.failed:
            self._time.note_network()
            seconds = self._pauses.seconds(trial.trial_id)
            if report.last and seconds > 0:
                spec = TrialSpec.from_tune(trial.config)
                self._time.note_full_trial(spec.scale, seconds, report.curve[-1], reference=spec.reference)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Let a trial continue whose process was lost while it was pausing: Tune begins it again, from its own state."""
        self._waiting.pop(trial.trial_id, None)
        self._pauses.cancel(trial.trial_id)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Remove a trial that waits, or ended before it was started."""
        self._waiting.pop(trial.trial_id, None)
        self._pending.pop(trial.trial_id, None)
        if (trial.last_result or {}).get("done"):
            self._time.note_network()
