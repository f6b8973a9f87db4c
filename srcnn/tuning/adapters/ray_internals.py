"""What is not public in Ray and Ray Tune, each use a function of its own; checked with Ray 2.60.

Every function says what is used, why, and which public interface is missing. A number is that of an issue or pull request of
``ray-project/ray``; where none was found there are words to search for. ``tests/tuning/adapters/test_ray_internals.py`` has a
test for each. What is read from files here are pickles: read only what you wrote.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import cloudpickle, tune
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
    "newest_failures",
    "patient_resets",
    "state_folder",
    "trials_in",
    "trials_of",
    "tuner_parts",
]

#: The files in which Tune keeps an experiment; ``TuneController.checkpoint`` writes them, and no public function copies or
#: names them. Search words: "experiment_state save restore api"; #11233 is about their cost.
TRIAL_STATES, SEARCHER_STATES = "experiment_state-*.json", "searcher-state-*.pkl"
_GENERATOR_STATES, _CALLBACK_STATES = "search_gen_state-*.json", "callback-states-*.pkl"
STATE_FILES = (TRIAL_STATES, SEARCHER_STATES, _GENERATOR_STATES, _CALLBACK_STATES)
TUNER_FILE = "tuner.pkl"  #: the settings of a `tune.Tuner`, written when it is made; `tune.Tuner.restore` reads it

#: A resource that the head of a cluster has. Ray has no other way to ask for the head through its client, #15930.
HEAD_NODE = "node:__internal_head__"


@dataclass(frozen=True)
class TunerParts:
    """The objects that a `tune.Tuner` works with."""

    callbacks: list[tune.Callback]
    scheduler: TrialScheduler | None
    searcher: Searcher | None


def tuner_parts(tuner: tune.Tuner) -> TunerParts:
    """The objects of a tuner, those that `tune.Tuner.restore` read from its pickle too.

    Uses ``Tuner._local_tuner`` and of that ``_run_config`` and ``_tune_config``. A restored tuner has copies of its callbacks,
    scheduler and searcher, and neither takes others nor gives these out: #41364.
    """
    inner = tuner._local_tuner
    return TunerParts(
        list(inner._run_config.callbacks or ()), inner._tune_config.scheduler, inner._tune_config.search_alg
    )


def trials_of(results: tune.ResultGrid) -> list[Trial]:
    """The trials behind the results of `tune.Tuner.fit`.

    Uses ``ResultGrid._experiment_analysis``. A public result has no configuration where its trial never reported, and no
    status; the trials have both. Search words: "ResultGrid trials".
    """
    return list(results._experiment_analysis.trials or ())


def trials_in(folder: Path) -> list[Trial]:
    """The trials in a folder that holds Tune's files, read without the warning about result files, which are not written here.

    Uses the name of a logger; `tune.ExperimentAnalysis` itself is public. Search words: "Failed to fetch metrics for trial".
    """
    logger = logging.getLogger("ray.tune.analysis.experiment_analysis")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return list(tune.ExperimentAnalysis(str(folder)).trials or ())
    finally:
        logger.setLevel(level)


def state_folder(trial: Trial) -> Path:
    """Where the driver writes the experiment's state before it copies it to the storage.

    Uses ``Trial.storage``; the experiment's state is public only as it lies in the storage, which lags. Search words:
    "experiment_driver_staging_path".
    """
    return Path(trial.storage.experiment_driver_staging_path)


def is_trial_state(file: Path) -> bool:
    """Whether a file is one of Tune's that hold the trials, as JSON."""
    return file.match(TRIAL_STATES)


def is_generator_state(file: Path) -> bool:
    """Whether a file is one of Tune's that `allow_trials` takes."""
    return file.match(_GENERATOR_STATES)


def allow_trials(file: Path, trials: int) -> None:
    """Let an experiment that is restored from this state have so many trials, if that is more than it has.

    Uses the keys ``total_samples`` and ``finished`` of ``SearchGenerator.get_state``. `tune.Tuner.restore` takes no number of
    samples: #18847, #42221.
    """
    state = cloudpickle.loads(file.read_bytes())
    if trials > state["total_samples"]:
        state["total_samples"], state["finished"] = trials, False
        file.write_bytes(cloudpickle.dumps(state))


def forget_statistics(trial: Trial) -> None:
    """Drop the six statistics that Tune keeps of every number that a trial ever reported: two thirds of its state.

    Uses ``Trial.run_metadata.metric_analysis`` and ``metric_n_steps``; no setting turns them off. What they cost: #11233.
    """
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()


def forgive(rule: MedianStoppingRule, trial: Trial) -> None:
    """Let a trial report again that the rule wanted to stop and that goes on all the same.

    Uses ``MedianStoppingRule._stopped_trials``: the rule asserts that it never hears again of such a trial, and nothing public
    takes one out. Search words: "MedianStoppingRule _stopped_trials assert".
    """
    rule._stopped_trials.discard(trial)


@contextmanager
def patient_resets() -> Iterator[None]:
    """Within the block a trial survives the death of the process that it was about to reuse, and counts one failure.

    Tune begins a trial again whose process dies while it runs, or while it starts. Where a process of an earlier trial dies
    while it is being reset for the next one, Tune hears of it twice, takes the second time for another failure of a trial that
    waits, and gives it up: a trial that never ran has failed.

    Replaces ``TuneController._trial_task_failure``; uses ``_resetting_trials``, ``_trial_to_actor`` and ``_set_trial_status``.
    Search words: "reuse_actors actor died reset trial ERROR PENDING".
    """
    before = TuneController._trial_task_failure

    def failure(controller: Any, trial: Trial, exception: Exception) -> None:
        controller._resetting_trials.discard(trial)
        if trial.status == Trial.PENDING and isinstance(exception, RayActorError):
            if (
                trial not in controller._trial_to_actor
            ):  # it was heard of already, and the trial waits for another process
                return
            controller._set_trial_status(trial, Trial.RUNNING)  # as Tune does with one that dies while it starts
        before(controller, trial, exception)

    TuneController._trial_task_failure = failure
    try:
        yield
    finally:
        TuneController._trial_task_failure = before


@contextmanager
def newest_failures() -> Iterator[dict[str, BaseException]]:
    """Within the block the result holds the newest error of every trial that had one, by the trial's id.

    Replaces ``Trial.handle_error``, through which every error of a trial passes before a callback hears of it. Callbacks are
    given no exception. `Trial.get_pickled_error` has only two kinds of them, and keeps an old one where the newest is of
    another kind, such as `ray.exceptions.OutOfMemoryError`. Search words: "on_trial_error exception argument".
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


def kept_failure(trial: Trial) -> tuple[BaseException | None, str]:
    """The newest error of a trial as Tune keeps it in files: itself, where it is kept and could be pickled, and its text.

    Uses ``Trial.error_file`` and the line that begins an error in it: Tune writes the text beside the driver first, one error
    below the other, and `Trial.get_error` reads the copy in the storage, which lags. Search words: "Failure # occurred at".
    """
    here = Path(trial.error_file) if trial.error_file else None
    whole = here.read_text(encoding="utf-8") if here is not None and here.exists() else str(trial.get_error() or "")
    text = whole.rpartition("Failure # ")[2]
    error = trial.get_pickled_error()
    return (error if error is not None and str(error) in text else None), text
