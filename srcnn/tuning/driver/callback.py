"""Tune callback of a stage: logs every event to MLflow, saves durable snapshots, handles faults, notifies listeners.

Tune pickles its callbacks together with the experiment. A tracker or a listener (such as a progress bar) cannot be pickled, so
`SearchCallback.attach` sets them in the process that runs the search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from srcnn.config.quantities import counted
from srcnn.errors import SearchError
from srcnn.tuning.adapters.ray_internals import TRIAL_STATES, forget_statistics, kept_failure, state_folder
from srcnn.tuning.driver.cluster import end_in_good_order
from srcnn.tuning.driver.context import StageRun
from srcnn.tuning.driver.events import Event, EventKind
from srcnn.tuning.driver.faults import Fault, error_line, fault_of, more_room
from srcnn.tuning.driver.snapshot import FOLDER, keep_snapshot
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import flat_params
from srcnn.tuning.trials.decision import decisions_json
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import NETWORK_FILE, history

__all__ = ["SearchCallback", "failure_line"]

_DECIDED = ("start", "pause", "end")  # events that follow a decision of a search with pauses
_RETRIES = 1  # maximum retries of a trial whose own code raised an error: such errors usually repeat


class SearchCallback(tune.Callback):  # type: ignore[misc]
    """Logs a stage to its tracker, saves the snapshots from which it can be resumed, and handles faults.

    Args:
        folder: folder of the stage.
        tags: tags for the run of every trial.
        datasets: name, digest and number of the training images, by the key ``data`` of a trial, or by its scale if the trial
            has no such key.
        stage: name of the stage: ``search``, ``confirm``, ``judge`` or ``table``.
    """

    def __init__(
        self,
        folder: Path,
        tags: Mapping[str, str],
        datasets: Mapping[int | str, Mapping[str, str]],
        stage: str,
    ) -> None:
        self._folder, self._tags, self._datasets = folder, {**tags, names.TAG_STAGE: stage}, datasets
        self._stage = stage
        self._ended: set[str] = set()
        self._attached: StageRun | None = None

    def attach(self, run: StageRun) -> None:
        """Set the run that this callback serves. Required before the first event; the run is not pickled."""
        self._attached = run

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_attached": None}

    @property
    def _run(self) -> StageRun:
        assert self._attached is not None, "attach() must be called first"
        return self._attached

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Check after a resume that Tune has restored all trials: if it cannot, it only logs that and starts from scratch.

        Raises:
            SearchError: a trial of the snapshot is missing.
        """
        run = self._run
        if missing := run.expected - {trial.trial_id for trial in trials}:
            raise SearchError(f"resume: Ray Tune did not restore {counted(len(missing), 'trial')} of {self._folder}")
        self.tell_restored(trials)

    def tell_restored(self, trials: Sequence[Trial]) -> None:
        """Tell the listeners, which are new, of the trials that began before a resume; once."""
        if self._run.expected:
            self._run.expected = set()
            for trial in trials:
                self._tell_restored(trial)
            self._run.continue_first([trial.trial_id for trial in trials if self._went_further(trial)])

    def _went_further(self, trial: Trial) -> bool:
        """Return whether the worker of a paused trial had trained more epochs than the snapshot knows when the driver died."""
        report = TrialReport.last_of(trial.last_result)
        if trial.status != Trial.PAUSED or report is None:
            return False
        return len(history(self._folder / trial.trial_id)) > len(report.curve)

    def _tell_restored(self, trial: Trial) -> None:
        report = TrialReport.last_of(trial.last_result)
        if trial.status in (Trial.TERMINATED, Trial.ERROR):
            failed = trial.status == Trial.ERROR or report is None
            outcome = Outcome.FAILED if failed or report is None else report.outcome
        else:
            outcome = Outcome.WAITING if trial.status == Trial.PAUSED else Outcome.INTERRUPTED
        failure = failure_line(trial, self._run) if trial.status == Trial.ERROR else ""
        self._tell("restored", trial, report, outcome, failure or ("" if report is None else report.failure))

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Save a snapshot if Tune has written its state in this step: it includes everything logged so far."""
        self._note_waiting()
        self._run.context.time.keep()  # Tune calls this several times per second, with or without new reports
        self._keep(trials)

    def _note_waiting(self) -> None:
        """Tag the run of each trial that has paused. Tune has no event for it: a trial pauses some steps after its report."""
        for trial_id, trial in list(self._run.reported.items()):
            if trial.status == Trial.PAUSED:
                tags = {names.TAG_OUTCOME: Outcome.WAITING.value, **self._decisions(trial_id)}
                self._run.context.tracker.tag_trial(trial_id, tags)
                self._tell("pause", trial, TrialReport.last_of(trial.last_result))
            if trial.status != Trial.RUNNING:
                self._run.reported.pop(trial_id)

    def _decisions(self, trial_id: str) -> dict[str, str]:
        found = self._run.decisions(trial_id)
        return {names.TAG_DECISIONS: decisions_json(found)} if found else {}

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """Save the final snapshot. Tune may have failed to write its state, so the files are checked."""
        self._keep(trials, check=True)

    def _keep(self, trials: list[Trial], *, check: bool = False) -> None:
        if not trials:
            return
        run, staging = self._run, state_folder(trials[0])
        states = [file.stat().st_mtime_ns for file in staging.glob(TRIAL_STATES)]
        if not states or max(states) <= run.kept:
            return
        try:
            keep_snapshot(self._folder, staging, run.context.tracker.journal_length, check=check)
        except OSError as error:
            if error.filename is not None:
                raise
            # of an open file: it does not say which
            raise OSError(error.errno, error.strerror, str(self._folder / FOLDER)) from error
        run.context.tracker.commit()
        run.kept = max(states)
        while run.pending_ends:
            run.tell(run.pending_ends.pop(0))

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Start the trial's run in MLflow, or reopen it if the trial continues after a fault or a resume."""
        spec = TrialSpec.from_tune(trial.config)
        fields = flat_params((k, v) for k, v in spec.config if k not in spec.params)
        shown = {k: fields.pop(k) for k in names.SHOWN_FIELDS if k in fields}
        own = {names.TAG_REFERENCE: str(spec.reference), names.TAG_CONFIGURATION: spec.name}
        tags = {**self._tags, **own, **spec.tags}
        self._run.context.tracker.start_trial(
            trial.trial_id,
            self._name(spec),
            {**spec.params, **shown},
            tags,
            self._datasets[spec.data_key],
            fields,
        )
        if decisions := self._decisions(trial.trial_id):
            # A trial that is resumed waits no longer. MLflow's operations here overwrite tags, but delete none.
            no_outcome = {names.TAG_OUTCOME: ""} if trial.last_result else {}
            self._run.context.tracker.tag_trial(trial.trial_id, {**decisions, **no_outcome})
        self._ended.discard(trial.trial_id)
        self._tell("start", trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Log the report of an epoch. The report of a failed trial contains no figures, and is only passed to listeners."""
        report = TrialReport.from_json(result)
        if not report.failed:
            self._log(trial, report)
            self._run.reported[trial.trial_id] = trial
        self._tell("report", trial, report)

    def _log(self, trial: Trial, report: TrialReport) -> None:
        """Log the reported epoch, and earlier epochs of which the driver received no report."""
        tracker, done = self._run.context.tracker, self._run.context.tracker.last_step(trial.trial_id)
        if done < report.epoch - 1:
            past = history(self._folder / trial.trial_id)[: report.epoch - 1]
            for step, figures in enumerate(past[done:], start=done + 1):
                tracker.log_epoch(trial.trial_id, step, names.epoch_metrics(figures))
        assert report.figures is not None, "a trial that has not failed reports figures"
        if not done:
            size = {names.METRIC_MACS: report.macs, names.METRIC_PARAMETERS: report.parameters}
            tracker.log_figures(trial.trial_id, {name: value for name, value in size.items() if value is not None})
        latency = {} if report.latency_ms is None else {names.METRIC_LATENCY: report.latency_ms}
        drawn = {} if report.pattern_lead is None else {names.METRIC_PATTERN_LEAD: report.pattern_lead}
        tracker.log_epoch(trial.trial_id, report.epoch, {**names.epoch_metrics(report.figures), **latency, **drawn})

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Log the end of a trial that finished, was stopped early, or reported its own failure."""
        report, tracker = TrialReport.last_of(trial.last_result), self._run.context.tracker
        end = Outcome.FAILED if report is None else report.outcome
        file = self._folder / trial.trial_id / NETWORK_FILE
        if file.is_file():
            tracker.log_file(trial.trial_id, file, names.ARTIFACT_CHECKPOINT)
        forget_statistics(trial)
        where = ("", "") if report is None else (report.device, report.node)
        tags = {names.TAG_OUTCOME: end.value, names.TAG_TRIAL_DEVICE: where[0], names.TAG_TRIAL_NODE: where[1]}
        tags |= self._decisions(trial.trial_id)
        failure = "" if report is None else report.failure
        if report is not None and failure:
            tags |= {names.TAG_FAILURE: failure, names.TAG_FAILURE_KIND: report.failure_kind}
        tracker.end_trial(trial.trial_id, "FAILED" if end is Outcome.FAILED else "FINISHED", tags)
        self._end(trial, report, end, failure)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Prepare the next attempt of a trial after a fault: more memory, fewer retries, or the end of the stage."""
        fault = fault_of(self._run.errors.get(trial.trial_id))
        if fault is Fault.DISK_FULL:
            self._stop()
        elif fault is Fault.MEMORY:
            trial.update_resources(more_room(trial))
        elif fault is Fault.OWN:
            trial.max_failures = min(trial.max_failures, _RETRIES)
        self._tell("fault", trial, failure=failure_line(trial, self._run))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Log the end of a trial that failed by a fault, when Tune has no retries left."""
        failure = failure_line(trial, self._run)
        if fault_of(self._run.errors.get(trial.trial_id)) is Fault.DISK_FULL:
            self._stop()
        tags = {names.TAG_OUTCOME: Outcome.FAILED.value, names.TAG_FAILURE: failure}
        self._run.context.tracker.end_trial(trial.trial_id, "FAILED", tags)
        self._end(trial, TrialReport.last_of(trial.last_result), Outcome.FAILED, failure)

    def _stop(self) -> None:
        if not self._run.disk_full:
            self._run.disk_full = True
            end_in_good_order()

    def _name(self, spec: TrialSpec) -> str:
        return spec.name if self._stage == "search" else f"{spec.name} seed {spec.config.seed}"

    def _end(self, trial: Trial, report: TrialReport | None, end: Outcome, failure: str) -> None:
        if trial.trial_id not in self._ended:
            self._ended.add(trial.trial_id)
            self._tell("end", trial, report, end, failure)

    def _tell(
        self,
        kind: EventKind,
        trial: Trial,
        report: TrialReport | None = None,
        end: Outcome | None = None,
        failure: str = "",
    ) -> None:
        spec = TrialSpec.from_tune(trial.config)
        name, trials = self._name(spec), self._run.trials
        decisions = self._run.decisions(trial.trial_id) if kind in _DECIDED else ()
        decision = decisions[-1] if decisions else None
        event = Event(kind, trial.trial_id, name, spec, self._stage, trials, report, end, failure, decision)
        if kind == "end":
            self._run.pending_ends.append(event)
        else:
            self._run.tell(event)


def failure_line(trial: Trial, run: StageRun) -> str:
    """Return what ended a trial, in one line; for a trial that ended before a restore, from Tune's error file."""
    error = run.errors.get(trial.trial_id)
    return error_line(*kept_failure(trial)) if error is None else error_line(error)
