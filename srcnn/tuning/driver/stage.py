"""A stage is one run of Ray Tune: a search, the confirmation of its best configurations, or the cells of a table."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher

from srcnn.errors import SearchError
from srcnn.tuning.adapters.environment import temporarily
from srcnn.tuning.adapters.ray_internals import newest_failures, patient_resets, trials_of, tuner_parts
from srcnn.tuning.algorithms.early_stopping import EPOCHS, FREEZE_THAW, PerScale
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.algorithms.freeze_thaw import FreezeThaw
from srcnn.tuning.algorithms.stage_time import TimeAware
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.driver.callback import SearchCallback, failure_line
from srcnn.tuning.driver.context import DriverContext, StageRun
from srcnn.tuning.driver.faults import DiskFull, is_disk_full
from srcnn.tuning.driver.snapshot import FOLDER, newest_snapshot
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import NETWORK_FILE, ScaleData, run_trial
from srcnn.tuning.worker.trial_device import Place

__all__ = ["Stage", "Workers", "run_stage", "slots", "starting"]

_SLOTS_EVERY = 2.0  # seconds between two questions about the resources of the cluster
_STARTING = 100  # maximum number of processes that start at a time
_RETRIES = 4  # maximum retries of a trial whose process, GPU or machine was lost
#: Seconds between two of Tune's snapshots, by the maximum number of trials of a stage. A kill loses the trials that started after
#: the last snapshot, and a snapshot with more trials takes longer to write. For larger stages Tune's default applies: a twentieth
#: of the time is spent on snapshots, with at least ten seconds between two.
_PERIODS = {100: "0.5", 300: "2"}


@dataclass(frozen=True)
class Stage:
    """Definition of a stage."""

    name: str  #: ``search``, ``confirm``, ``judge`` or ``table``; a tag of the stage's runs
    folder: Path  #: folder for Tune's state
    trials: int  #: maximum number of trials
    searcher: Searcher
    stopping: str  #: name of the scheduler
    scales: tuple[int, ...]
    latency: bool = False  #: whether trials measure the latency of their network
    patterns: bool = False  #: whether full trials measure their network on the drawn patterns


class Workers(Protocol):
    """Resources of a trial and number of concurrent trials. Settings have these fields."""

    @property
    def gpus_per_trial(self) -> float | Literal["auto"] | None:
        """Number of GPUs per trial; None: 1 if the cluster has a GPU; ``auto`` is replaced by a share before a stage starts."""

    @property
    def cpus_per_trial(self) -> int:
        """Number of cores per trial, and of threads in its process."""

    @property
    def max_concurrent(self) -> int | None:
        """Maximum number of concurrent trials; None: as many as fit."""

    @property
    def stall_limit(self) -> float | None:
        """Seconds without a report after which a trial counts as hung; None: see `srcnn.tuning.worker.watchdog.Watchdog`."""


def _gpus(workers: Workers) -> float:
    if workers.gpus_per_trial is not None:
        return float(workers.gpus_per_trial)
    return 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0


def slots(workers: Workers) -> int:
    """Return the number of trials that run concurrently on the current cluster."""
    there, gpus = ray.cluster_resources(), _gpus(workers)
    fit = int(there.get("CPU", 1) // workers.cpus_per_trial)
    if gpus:
        fit = min(fit, int(there.get("GPU", 0) / gpus))
    return max(1, min(fit, workers.max_concurrent or fit))


def run_stage(
    workers: Workers,
    stage: Stage,
    data: Mapping[int | str, ScaleData],
    context: DriverContext,
    tags: dict[str, str],
    *,
    resume: bool,
) -> list[TrialResult]:
    """Run the trials of a stage, or resume it.

    Args:
        workers: resources of a trial, and number of concurrent trials.
        stage: definition of the stage.
        data: training data by the key ``data`` of a trial, or by its scale if the trial has no such key.
        context: process-local objects: the tracker, the time budget, the listeners.
        tags: tags for the run of every trial.
        resume: whether to resume from the newest snapshot in the folder of the stage, if there is one.

    Returns:
        The results of all trials, also of those that ended before a resume.

    Raises:
        SearchError: a trial needs more GPUs or cores than the cluster has, or Tune did not restore all trials.
        DiskFull: no space is left on the disk; the stage can be resumed.
    """
    gpus, there = _gpus(workers), ray.cluster_resources()
    for setting, kind, wanted in (("gpus_per_trial", "GPU", gpus), ("cpus_per_trial", "CPU", workers.cpus_per_trial)):
        if wanted > there.get(kind, 0):  # Tune would wait forever
            raise SearchError(f"{setting}: must not exceed what Ray has, {there.get(kind, 0):g}, but got {wanted:g}")
    place = Place(
        str(stage.folder),
        workers.cpus_per_trial,
        gpus,
        latency=stage.latency,
        patience=workers.stall_limit,
        patterns=stage.patterns,
    )
    trainable = tune.with_resources(
        tune.with_parameters(run_trial, data=data, place=place), {"cpu": workers.cpus_per_trial, "gpu": gpus}
    )
    period = next((p for most, p in _PERIODS.items() if stage.trials <= most), "auto")
    run, kept = StageRun(context, stage.trials), newest_snapshot(stage.folder) if resume else None
    try:
        if kept is not None:
            run.expected = kept.put_back(_samples(stage))
            tuner = tune.Tuner.restore(str(stage.folder), trainable, resume_unfinished=True)
        else:
            shutil.rmtree(stage.folder / FOLDER, ignore_errors=True)
            callback = SearchCallback(stage.folder, tags, {k: d.source for k, d in data.items()}, stage.name)
            tuner = _new_tuner(workers, stage, trainable, callback)
        _attach(tuner, run, workers)
        variables = {"TUNE_GLOBAL_CHECKPOINT_S": period, **starting(workers, stage)}
        with temporarily(variables), patient_resets(), newest_failures() as run.errors:
            trials = trials_of(tuner.fit())
        for callback in tuner_parts(tuner).callbacks:
            if isinstance(callback, SearchCallback):  # Tune calls nothing of a stage that had already ended
                callback.tell_restored(trials)
    except BaseException as error:  # includes the KeyboardInterrupt of a second Ctrl-C
        context.tracker.truncate_uncommitted()
        if is_disk_full(error):
            raise DiskFull(stage.folder) from None
        raise
    finally:
        context.time.keep()
    if run.disk_full:
        raise DiskFull(stage.folder)
    return [_result(trial, stage.folder, run) for trial in trials]


def starting(workers: Workers, stage: Stage) -> dict[str, str]:
    """Return Tune's variable for the number of processes that may start at a time; empty for some searchers.

    By default Tune starts one process after the other, and gives up one that is starting when another trial ends meanwhile.
    Trials shorter than the start of a process would then all run in the first process. Other searchers would have to suggest
    trials before a worker is free, and know less.
    """
    if stage.stopping == FREEZE_THAW or isinstance(stage.searcher, Listed):
        return {"TUNE_MAX_PENDING_TRIALS_PG": str(min(_STARTING, slots(workers)))}
    return {}


def _samples(stage: Stage) -> int:
    """Return the number of trials for Tune, which counts its searcher as finished after so many.

    A searcher whose trials pause must not finish with its last new trial, because others wait; it counts by itself.
    """
    return stage.trials + (stage.stopping == FREEZE_THAW)


def _attach(tuner: tune.Tuner, run: StageRun, workers: Workers) -> None:
    """Attach the run to the callback, and its time budget to scheduler and searcher (after a restore, to their copies)."""
    parts = tuner_parts(tuner)
    for callback in parts.callbacks:
        if isinstance(callback, SearchCallback):
            callback.attach(run)
    for one in (parts.scheduler, parts.searcher):
        if isinstance(one, TimeAware):
            one.use_time(run.context.time)
    if isinstance(parts.searcher, StudySearcher):
        searcher = parts.searcher
        # Looked up at each call, because Tune reads the state of a restored searcher later.
        run.decisions = lambda trial_id: searcher.reasons.of(trial_id)
    if isinstance(parts.scheduler, FreezeThaw):
        assert isinstance(parts.searcher, StudySearcher), "a stage whose trials pause has this searcher"
        assert parts.searcher.pauses is not None, "its trials pause"
        parts.scheduler.use_searcher(parts.searcher)
        parts.searcher.pauses.use_limits(run.trials, _Slots(workers))
        run.continue_first = lambda ids: None if searcher.pauses is None else searcher.pauses.continue_first(ids)


class _Slots:
    """Number of concurrent trials, which changes when machines join or leave; asked of Ray at most once in some seconds."""

    def __init__(self, workers: Workers) -> None:
        self._workers, self._count, self._asked = workers, 1, -math.inf

    def __call__(self) -> int:
        if time.monotonic() - self._asked > _SLOTS_EVERY:
            self._count, self._asked = slots(self._workers), time.monotonic()
        return self._count


def _new_tuner(workers: Workers, stage: Stage, trainable: Any, callback: SearchCallback) -> tune.Tuner:
    pauses = stage.stopping == FREEZE_THAW
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=stage.searcher,
            scheduler=FreezeThaw() if pauses else PerScale(stage.stopping, stage.scales, EPOCHS),
            num_samples=_samples(stage),
            # Tune counts paused trials as concurrent ones, so a searcher whose trials pause limits their number itself.
            max_concurrent_trials=None if pauses else workers.max_concurrent,
            reuse_actors=True,
            trial_name_creator=_short_name,
            trial_dirname_creator=_short_name,
        ),
        run_config=tune.RunConfig(
            name=stage.folder.name,
            storage_path=str(stage.folder.parent),
            callbacks=[callback],
            failure_config=tune.FailureConfig(max_failures=_RETRIES),
            verbose=0,
            progress_reporter=tune.CLIReporter(),  # silent; in a notebook, Tune's own one deletes what a cell has shown
        ),
    )


def _short_name(trial: Any) -> str:
    """Return the trial's id as its name: Tune's default name contains the whole configuration, too long for a path."""
    return str(trial.trial_id)


def _result(trial: Trial, folder: Path, run: StageRun) -> TrialResult:
    """Return the result of a trial from Tune's final state of it."""
    report, network = TrialReport.last_of(trial.last_result), folder / trial.trial_id / NETWORK_FILE
    if trial.status == Trial.ERROR:
        end, failure = Outcome.FAILED, failure_line(trial, run)
    else:
        end = Outcome.FAILED if report is None else report.outcome
        # Tune sets "done" in the last report of a trial that a scheduler stopped, but not of a trial that ended by itself.
        if end is not Outcome.FINISHED and not (trial.last_result or {}).get("done"):
            end = Outcome.INTERRUPTED
        failure = "" if report is None else report.failure
    checkpoint = network if network.is_file() else None
    return TrialResult(trial.trial_id, TrialSpec.from_tune(trial.config), end, report, failure, checkpoint)
