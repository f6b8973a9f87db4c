"""What the driver does at every event of a search: write it to MLflow, keep its state, answer faults, tell whoever listens.

Tune pickles its callbacks with the experiment, so a listener (a progress bar, say) or a tracker cannot be part of one:
`SearchCallback.attach` gives them, in the process that runs the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ray import tune
from ray.tune.experiment import Trial

from srcnn.errors import SearchError
from srcnn.tuning.adapters.ray_internals import TRIAL_STATES, forget_statistics, kept_failure, state_folder
from srcnn.tuning.driver.cluster import end_in_good_order
from srcnn.tuning.driver.context import StageRun
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.faults import Fault, error_line, fault_of, more_room
from srcnn.tuning.driver.snapshot import keep_snapshot
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import flat_params
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import NETWORK_FILE, history

__all__ = ["SearchCallback", "failure_line"]

_RETRIES = 1  # of a trial whose own code raised: what the program does once it will mostly do again


class SearchCallback(tune.Callback):  # type: ignore[misc]
    """Writes a stage to its tracker, keeps the states that it can go on from, and answers faults.

    Args:
        folder: of the stage.
        tags: of every trial's run.
        datasets: name, digest and number of the training images, by a trial's key ``data``, else by its scale.
        stage: ``search``, ``confirm``, ``judge`` or ``table``.
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
        """Work for this run from now on; nothing works before. It is no part of a pickle."""
        self._attached = run

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_attached": None}

    @property
    def _run(self) -> StageRun:
        assert self._attached is not None, "attach() comes first"
        return self._attached

    def on_step_begin(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Tune begins anew, with a line in its log alone, where it cannot restore what it was given."""
        run = self._run
        if missing := run.expected - {trial.trial_id for trial in trials}:
            raise SearchError(f"resume: Ray Tune did not take up {len(missing)} trials of {self._folder}")
        run.expected = set()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """A state that Tune has written in this step knows of everything that was told to the tracker so far."""
        self._run.context.time.keep()  # Tune comes by here several times a second, reports or not
        self._keep(trials)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        """The last state, which Tune may have failed to write."""
        self._keep(trials, check=True)

    def _keep(self, trials: list[Trial], *, check: bool = False) -> None:
        if not trials:
            return
        run, staging = self._run, state_folder(trials[0])
        states = [file.stat().st_mtime_ns for file in staging.glob(TRIAL_STATES)]
        if not states or max(states) <= run.kept:
            return
        keep_snapshot(self._folder, staging, run.context.tracker.journal_length, check=check)
        run.context.tracker.commit()
        run.kept = max(states)
        while run.untold:
            run.tell(run.untold.pop(0))

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial begins, or goes on."""
        spec = TrialSpec.from_tune(trial.config)
        whole = {k: v for k, v in spec.config if k not in spec.params}
        own = {names.TAG_REFERENCE: str(spec.reference), names.TAG_CONFIGURATION: spec.name}
        tags = {**self._tags, **own, **spec.tags}
        self._run.context.tracker.start_trial(
            trial.trial_id,
            self._name(spec),
            {**spec.params, **flat_params(whole.items())},
            tags,
            self._datasets[spec.data_key],
        )
        self._ended.discard(trial.trial_id)
        self._tell("start", trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A report."""
        report = TrialReport.from_json(result)
        if not report.failed:
            self._log(trial, report)
        self._tell("report", trial, report)

    def _log(self, trial: Trial, report: TrialReport) -> None:
        """The epoch that is reported, and those before it that nobody heard of."""
        tracker, done = self._run.context.tracker, self._run.context.tracker.last_step(trial.trial_id)
        if done < report.epoch - 1:
            past = history(self._folder / trial.trial_id)[: report.epoch - 1]
            for step, figures in enumerate(past[done:], start=done + 1):
                tracker.log_epoch(trial.trial_id, step, names.epoch_metrics(figures))
        assert report.figures is not None, "it has not failed"
        latency = {} if report.latency_ms is None else {names.METRIC_LATENCY: report.latency_ms}
        tracker.log_epoch(trial.trial_id, report.epoch, {**names.epoch_metrics(report.figures), **latency})

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial that ran to its end, was stopped early, or failed on its own account."""
        report, tracker = TrialReport.last_of(trial.last_result), self._run.context.tracker
        end = Outcome.FAILED if report is None else report.outcome
        file = self._folder / trial.trial_id / NETWORK_FILE
        if file.is_file():
            tracker.log_file(trial.trial_id, file, names.ARTIFACT_CHECKPOINT)
        forget_statistics(trial)
        where = ("", "") if report is None else (report.device, report.node)
        tags = {names.TAG_OUTCOME: end.value, names.TAG_TRIAL_DEVICE: where[0], names.TAG_TRIAL_NODE: where[1]}
        failure = "" if report is None else report.failure
        if report is not None and failure:
            tags |= {names.TAG_FAILURE: failure, names.TAG_FAILURE_KIND: report.failure_kind}
        tracker.end_trial(trial.trial_id, "FAILED" if end is Outcome.FAILED else "FINISHED", tags)
        self._end(trial, report, end, failure)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """An accident after which Tune begins the trial again: what caused it says how."""
        fault = fault_of(self._run.errors.get(trial.trial_id))
        if fault is Fault.DISK_FULL:
            self._stop()
        elif fault is Fault.MEMORY:
            trial.update_resources(more_room(trial))
        elif fault is Fault.OWN:
            trial.max_failures = min(trial.max_failures, _RETRIES)
        self._tell("fault", trial, failure=failure_line(trial, self._run))

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial by an accident, after Tune's retries."""
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
        kind: Literal["start", "report", "fault", "end"],
        trial: Trial,
        report: TrialReport | None = None,
        end: Outcome | None = None,
        failure: str = "",
    ) -> None:
        spec = TrialSpec.from_tune(trial.config)
        name, trials = self._name(spec), self._run.trials
        event = Event(kind, trial.trial_id, name, spec, self._stage, trials, report, end, failure)
        if kind == "end":
            self._run.untold.append(event)
        else:
            self._run.tell(event)


def failure_line(trial: Trial, run: StageRun) -> str:
    """What ended a trial, in a line. Of one that ended before a restore Tune's files say it."""
    error = run.errors.get(trial.trial_id)
    return error_line(*kept_failure(trial)) if error is None else error_line(error)
