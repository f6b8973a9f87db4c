"""Uses of non-public parts of Ray and Ray Tune, one function each; checked with Ray 2.60.

Every function says what it uses, why, and which public interface is missing. Numbers refer to issues or pull requests of
``ray-project/ray``; if none was found, search words are given. ``tests/tuning/adapters/test_ray_internals.py`` has a test for
each use. The files that are read here are pickles: see `srcnn.tuning.driver.snapshot.Snapshot.require_trust`.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import cloudpickle, tune
from ray._private import ray_constants, services
from ray.exceptions import RayActorError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import MedianStoppingRule, TrialScheduler
from ray.tune.search import Searcher

__all__ = [
    "HEAD_NODE",
    "SEARCHER_STATES",
    "STATE_FILES",
    "TRIAL_STATES",
    "TUNER_FILE",
    "TunerParts",
    "allow_trials",
    "forget_statistics",
    "forgive",
    "is_generator_state",
    "is_trial_state",
    "kept_failure",
    "loopback_only",
    "newest_failures",
    "own_process_groups",
    "patient_resets",
    "state_folder",
    "stop_paused",
    "trials_in",
    "trials_of",
    "tuner_parts",
]

#: Patterns of the files with Tune's state of an experiment. ``TuneController.checkpoint`` writes them; no public function
#: copies or lists them. Search words: "experiment_state save restore api"; #11233 is about their cost.
TRIAL_STATES, SEARCHER_STATES = "experiment_state-*.json", "searcher-state-*.pkl"
_GENERATOR_STATES, _CALLBACK_STATES = "search_gen_state-*.json", "callback-states-*.pkl"
STATE_FILES = (TRIAL_STATES, SEARCHER_STATES, _GENERATOR_STATES, _CALLBACK_STATES)
#: File with the settings of a `tune.Tuner`, written when it is created, read by `tune.Tuner.restore`.
TUNER_FILE = "tuner.pkl"

#: Beginnings of the texts of `RayActorError` and its kinds `ActorDiedError` and `ActorUnavailableError`.
_LOST_PROCESS = re.compile(r"The actor (experienced an error before|died |[0-9a-f]+ is unavailable: )")

#: Resource of the head node of a cluster. Ray's client has no other way to request the head node: #15930.
HEAD_NODE = "node:__internal_head__"


#: Read by Ray when it is imported; nothing else in Ray uses it (Ray 2.60).
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


@contextmanager
def loopback_only() -> Iterator[None]:
    """Inside the block, a Ray that ``ray.init`` starts listens on the loopback address alone, as it does on macOS and Windows.

    If the user has set the variable `RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER`, nothing changes.

    Uses ``ray._private.ray_constants.ENABLE_RAY_CLUSTER``: it decides whether a node's own address is that of the loopback
    interface, and the environment variable of which it is made, for Ray's processes. `ray.init` has no public argument for it,
    and ``_node_ip_address="127.0.0.1"`` is replaced by the machine's address. Search words: "ray gcs server bind loopback".
    """
    if _LOOPBACK in os.environ:
        yield
        return
    before = ray_constants.ENABLE_RAY_CLUSTER
    os.environ[_LOOPBACK], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        del os.environ[_LOOPBACK]


@contextmanager
def own_process_groups() -> Iterator[None]:
    """Inside the block, the processes that ``ray.init`` starts get process groups of their own.

    A signal to the group of the driver, such as SIGTERM from a batch system, then reaches the driver alone, which ends its trials
    in good order; otherwise Ray would be gone before that. If the driver is killed, Linux kills Ray's processes as before.

    Replaces ``ray._private.services.ConsolePopen``, the class with which Ray starts processes. There is no public setting: Ray
    blocks SIGINT only. Search words: "ray init SIGTERM process group raylet".
    """
    before = services.ConsolePopen
    if sys.platform == "win32":
        yield
        return

    class OwnGroup(before):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **{"process_group": 0, **options})

    services.ConsolePopen = OwnGroup
    try:
        yield
    finally:
        services.ConsolePopen = before


@dataclass(frozen=True)
class TunerParts:
    """Callbacks, scheduler and searcher of a `tune.Tuner`."""

    callbacks: list[tune.Callback]
    scheduler: TrialScheduler | None
    searcher: Searcher | None


def tuner_parts(tuner: tune.Tuner) -> TunerParts:
    """Return the callbacks, the scheduler and the searcher of a tuner, which may be restored by `tune.Tuner.restore`.

    Uses ``Tuner._local_tuner`` with its ``_run_config`` and ``_tune_config``. A restored tuner has copies of its callbacks,
    scheduler and searcher. The public interface can neither return nor replace them: #41364.
    """
    inner = tuner._local_tuner
    return TunerParts(
        list(inner._run_config.callbacks or ()), inner._tune_config.scheduler, inner._tune_config.search_alg
    )


def trials_of(results: tune.ResultGrid) -> list[Trial]:
    """Return the trials of the results of `tune.Tuner.fit`.

    Uses ``ResultGrid._experiment_analysis``. A public result has no status, and no configuration if its trial never sent a
    report; trials have both. Search words: "ResultGrid trials".
    """
    return list(results._experiment_analysis.trials or ())


def trials_in(folder: Path) -> list[Trial]:
    """Return the trials in a folder with Tune's files, without a warning about result files, which this project does not write.

    Uses the name of a logger; `tune.ExperimentAnalysis` is public. Search words: "Failed to fetch metrics for trial".
    """
    logger = logging.getLogger("ray.tune.analysis.experiment_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return list(tune.ExperimentAnalysis(str(folder)).trials or ())
    finally:
        logger.setLevel(level)


def state_folder(trial: Trial) -> Path:
    """Return the folder to which Tune writes the state of the experiment before it copies it to the storage.

    Uses ``Trial.storage``. Only the state in the storage, which is older, is public. Search words:
    "experiment_driver_staging_path".
    """
    return Path(trial.storage.experiment_driver_staging_path)


def is_trial_state(file: Path) -> bool:
    """Return whether a file contains Tune's state of the trials, as JSON."""
    return file.match(TRIAL_STATES)


def is_generator_state(file: Path) -> bool:
    """Return whether a file contains Tune's state for `allow_trials`."""
    return file.match(_GENERATOR_STATES)


def allow_trials(file: Path, trials: int) -> None:
    """Increase the maximum number of trials in a saved state, if ``trials`` is larger, for an experiment to be restored.

    Uses the keys ``total_samples`` and ``finished`` of ``SearchGenerator.get_state``. `tune.Tuner.restore` has no argument for
    the number of samples: #18847, #42221.
    """
    state = cloudpickle.loads(file.read_bytes())
    if trials > state["total_samples"]:
        state["total_samples"], state["finished"] = trials, False
        file.write_bytes(cloudpickle.dumps(state))


def forget_statistics(trial: Trial) -> None:
    """Delete Tune's six statistics of each number that a trial has reported, which are two thirds of its state.

    Uses ``Trial.run_metadata.metric_analysis`` and ``metric_n_steps``; no setting disables them. Their cost: #11233.
    """
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()


def stop_paused(controller: Any, trial: Trial) -> None:
    """Stop a paused trial, for a scheduler, which is given Tune's controller in a wrapper.

    Uses ``TuneController._mark_trial_to_checkpoint``: ``stop_trial`` marks only trials with an actor for the next snapshot, so
    that a paused one that was stopped would be paused again after a restore. Search words: "stop_trial paused trial checkpoint".
    """
    controller.stop_trial(trial)
    inner = getattr(controller, "_tune_controller", controller)
    if isinstance(inner, TuneController):  # a replay has none
        inner._mark_trial_to_checkpoint(trial)


def forgive(rule: MedianStoppingRule, trial: Trial) -> None:
    """Allow further reports of a trial that continues although the median rule decided to stop it.

    Uses ``MedianStoppingRule._stopped_trials``: the rule asserts that such a trial sends no further report, and there is no
    public way to remove one. Search words: "MedianStoppingRule _stopped_trials assert".
    """
    rule._stopped_trials.discard(trial)


@contextmanager
def patient_resets() -> Iterator[None]:
    """Inside the block, the death of a process that is being reset for a trial counts as one failure, and the trial is retried.

    Tune restarts a trial whose process dies while the trial runs or starts. If the process of an earlier trial dies while it is
    being reset for the next trial, Tune receives the failure twice. It takes the second one for a failure of a pending trial,
    and does not retry it, so that a trial that never ran fails.

    Replaces ``TuneController._trial_task_failure``; uses ``_resetting_trials``, ``_trial_to_actor`` and ``_set_trial_status``.
    Search words: "reuse_actors actor died reset trial ERROR PENDING".
    """
    before = TuneController._trial_task_failure

    def failure(controller: Any, trial: Trial, exception: Exception) -> None:
        controller._resetting_trials.discard(trial)
        if trial.status == Trial.PENDING and isinstance(exception, RayActorError):
            if trial not in controller._trial_to_actor:  # already handled: the trial waits for another process
                return
            controller._set_trial_status(trial, Trial.RUNNING)  # as Tune does if a process dies while a trial starts
        before(controller, trial, exception)

    TuneController._trial_task_failure = failure
    try:
        yield
    finally:
        TuneController._trial_task_failure = before


@contextmanager
def newest_failures() -> Iterator[dict[str, BaseException]]:
    """Inside the block, collect the latest error of each trial in the returned dictionary, by trial id.

    Replaces ``Trial.handle_error``, which Tune calls with every error of a trial before the callbacks. Callbacks receive no
    exception. `Trial.get_pickled_error` stores only two kinds of errors, and returns an old one if the latest is of another
    kind, such as `ray.exceptions.OutOfMemoryError`. Search words: "on_trial_error exception argument".
    """
    before, newest = Trial.handle_error, dict[str, BaseException]()

    def handle(trial: Trial, exc: Exception | None = None) -> None:
        if exc is not None:
            newest[trial.trial_id] = exc
        before(trial, exc)

    Trial.handle_error = handle
    try:
        yield newest
    finally:
        Trial.handle_error = before


def kept_failure(trial: Trial) -> tuple[RayActorError | None, str]:
    """Return the latest error of a trial from Tune's files: the loss of its process (None: another error), and its text.

    Uses ``Trial.error_file``, the first line of each error in it, and what the texts of `RayActorError` begin with. Tune appends
    errors to a file on the driver's machine, and `Trial.get_error` reads the copy in the storage, which may be older. Search
    words: "Failure # occurred at". `Trial.get_pickled_error` would read a pickle in a folder that workers write to.
    """
    here = Path(trial.error_file) if trial.error_file else None
    whole = here.read_text(encoding="utf-8") if here is not None and here.exists() else str(trial.get_error() or "")
    text = whole.rpartition("Failure # ")[2]
    body = text.partition("\n")[2]
    if _LOST_PROCESS.match(body) is None:
        return None, text
    return RayActorError(error_msg=body, preempted="preempt" in body.lower()), text
