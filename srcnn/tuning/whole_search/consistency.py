"""Consistency checks between Ray Tune's state, Optuna's study, MLflow's runs and the checkpoints, and their repair.

All four describe the same trials and identify them by Tune's trial id. If they differ, Tune's state in the newest snapshot
(`srcnn.tuning.driver.snapshot`) is authoritative, because a search is resumed from it. `verify` returns each difference as a
`Problem`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.entities import Metric, Run, RunTag
from mlflow.tracking import MlflowClient
from optuna.trial import TrialState
from ray.tune.experiment import Trial

from srcnn.errors import CheckpointError, SearchError, unknown_name
from srcnn.model.weights_file import load_network, read_header
from srcnn.tuning.algorithms.study_searcher import load_study
from srcnn.tuning.driver.snapshot import journal_length, newest_snapshot, stage_trials
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.journal import JOURNAL_FILE, unsent
from srcnn.tuning.tracking.reader import (
    artifact_file,
    children_of,
    open_store,
    parent_named,
    parent_runs,
    reading,
)
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.whole_search.confirmation import confirmation_folders
from srcnn.tuning.worker.run_trial import NETWORK_FILE

__all__ = ["Books", "Problem", "open_books", "repair", "verify"]

_TRIES = 3
_ARTIFACT = names.ARTIFACT_NETWORK
_OPTUNA = {
    Outcome.FINISHED: TrialState.COMPLETE,
    Outcome.STOPPED: TrialState.PRUNED,
    Outcome.FAILED: TrialState.FAIL,
}
_MLFLOW = {Outcome.FINISHED: "FINISHED", Outcome.STOPPED: "FINISHED", Outcome.FAILED: "FAILED"}


@dataclass(frozen=True)
class Problem:
    """An inconsistency between the stores."""

    trial: str  #: trial id; empty: the whole search
    kind: str  #: kind of the problem, such as ``orphan``, ``open``, ``steps``
    text: str  #: description for the user
    mendable: bool = False  #: whether `repair` can repair it


@dataclass(frozen=True)
class Books:
    """Contents of all stores for one search or one run of a table."""

    name: str
    client: MlflowClient
    parent: Run  #: parent run in MLflow
    runs: tuple[Run, ...]  #: child runs in MLflow, without those that Tune did not train
    trials: tuple[Trial, ...]  #: Tune's trials of all stages
    folders: dict[str, Path]  #: folders of the trials, by trial id
    #: States of the trials in Optuna's study, by trial id; None: a table has no study.
    optuna: dict[str, TrialState] | None
    unsent: int = 0  #: number of operations in the journal that are not in MLflow yet

    def runs_of(self, trial_id: str) -> list[Run]:
        """Return the runs with the tag of a trial."""
        return [run for run in self.runs if run.data.tags.get(names.TAG_TRIAL) == trial_id]


def open_books(name: str, storage: Path, uri: str, *, trust: bool = False) -> Books:
    """Read all stores.

    Args:
        name: name of the search, or of a table's run.
        storage: folder of all searches, with their checkpoints and state.
        uri: address of the tracking store.
        trust: whether to read a saved state that somebody else may have written.

    Raises:
        SearchError: a store does not contain such a search, or its saved state may be somebody else's.
    """
    for _ in range(_TRIES - 1):  # a running search may replace the snapshot while it is being read
        with suppress(SearchError, OSError):
            return _read_books(name, storage, uri, trust=trust)
    return _read_books(name, storage, uri, trust=trust)


def _read_books(name: str, storage: Path, uri: str, *, trust: bool) -> Books:
    folder = storage.expanduser().resolve() / name
    places = [folder, *confirmation_folders(folder), *sorted(folder.glob("run-*/tune"))]
    stages = {place: kept for place in places if (kept := newest_snapshot(place)) is not None}
    if not stages:
        known = sorted(path.parent.name for path in storage.expanduser().glob(f"*/{JOURNAL_FILE}"))
        there = unknown_name("search", name, dict.fromkeys(known)) if known else "search: there is none yet"
        raise SearchError(f"{there} (in {storage})")
    for kept in () if trust else stages.values():
        kept.require_trust()
    client = open_store(uri)
    with reading(uri):
        parent = parent_named(parent_runs(client), name, uri)
        runs = [
            run for run in children_of(client, parent) if run.data.tags.get(names.TAG_OUTCOME) != names.OUTCOME_GIVEN
        ]
    trials = {trial.trial_id: (trial, place) for place, kept in stages.items() for trial in stage_trials(kept.folder)}
    states = None
    if folder in stages:
        found = [t for t in load_study(stages[folder].folder).trials if "trial_id" in t.user_attrs]
        states = {str(t.user_attrs["trial_id"]): t.state for t in found}
    return Books(
        name,
        client,
        parent,
        tuple(runs),
        tuple(trial for trial, _ in trials.values()),
        {trial_id: place / trial_id for trial_id, (_, place) in trials.items()},
        states,
        unsent(folder, journal_length(stages)),
    )


def verify(books: Books) -> list[Problem]:
    """Return all inconsistencies; an empty list if there are none."""
    known = {trial.trial_id for trial in books.trials}
    found = []
    if books.parent.info.status == "RUNNING":
        found.append(Problem("", "open", "the parent run is RUNNING: the search is running, or was killed", True))
    if books.unsent:
        found.append(
            Problem(
                "", "unsent", f"{books.unsent} operations in the journal are not in MLflow yet: --resume sends them"
            )
        )
    for run in books.runs:
        trial_id = run.data.tags.get(names.TAG_TRIAL, "")
        if trial_id not in known and run.info.status not in ("KILLED", "FAILED"):
            found.append(
                Problem(
                    trial_id, "orphan", f"MLflow has a run with status {run.info.status}, but Tune has no trial", True
                )
            )
    for trial in books.trials:
        found += _verify_trial(books, trial)
    if books.optuna is not None:
        for trial_id in books.optuna.keys() - known:
            found.append(Problem(trial_id, "orphan", "Optuna has a trial that Tune does not have"))
    return found


def _ended(trial: Trial) -> Outcome | None:
    """Return the outcome of a trial in Tune's state; None: it has not ended."""
    if trial.status == Trial.ERROR:
        return Outcome.FAILED
    if trial.status != Trial.TERMINATED:
        return None
    report = TrialReport.last_of(trial.last_result)
    return Outcome.FAILED if report is None else report.outcome


def _curve(trial: Trial) -> tuple[float, ...]:
    report = TrialReport.last_of(trial.last_result)
    return () if report is None else report.curve


def _verify_trial(books: Books, trial: Trial) -> list[Problem]:
    trial_id, end = trial.trial_id, _ended(trial)
    runs = books.runs_of(trial_id)
    if end is None:
        return [Problem(trial_id, "open", f"{trial.status} in Tune: the search is not complete; --resume continues it")]
    found = []
    if books.optuna is not None and trial_id in books.optuna and books.optuna[trial_id] != _OPTUNA[end]:
        found.append(Problem(trial_id, "optuna", f"{end} in Tune, but {books.optuna[trial_id].name} in Optuna"))
    if not runs:
        return [*found, Problem(trial_id, "missing", f"{end} in Tune, but has no run in MLflow")]
    if len(runs) > 1:
        return [
            *found,
            Problem(trial_id, "doubled", f"has {len(runs)} runs in MLflow: {', '.join(r.info.run_id for r in runs)}"),
        ]
    run = runs[0]
    if run.info.status != _MLFLOW[end] or run.data.tags.get(names.TAG_OUTCOME) != end:
        said = run.data.tags.get(names.TAG_OUTCOME, "no outcome")
        found.append(Problem(trial_id, "status", f"{end} in Tune, but {run.info.status} with {said} in MLflow", True))
    return [*found, *_verify_steps(books, trial, run), *_verify_checkpoint(books, trial, run, end)]


def _verify_steps(books: Books, trial: Trial, run: Run) -> list[Problem]:
    """Check that MLflow has every report exactly once, with the value that the trial reported."""
    curve = _curve(trial)
    by_step: dict[int, list[float]] = defaultdict(list)
    for metric in books.client.get_metric_history(run.info.run_id, names.METRIC_OBJECTIVE):
        by_step[metric.step].append(float(metric.value))
    wanted = set(range(1, len(curve) + 1))
    found = []
    if missing := sorted(wanted - by_step.keys()):
        found.append(
            Problem(
                trial.trial_id, "steps", f"the reports {_list(missing)} of {len(curve)} are missing in MLflow", True
            )
        )
    if more := sorted(by_step.keys() - wanted):
        found.append(Problem(trial.trial_id, "steps", f"MLflow has reports {_list(more)}, but Tune has {len(curve)}"))
    if twice := sorted(step for step, values in by_step.items() if len(values) > 1):
        found.append(Problem(trial.trial_id, "steps", f"MLflow has the reports {_list(twice)} more than once"))
    wrong = [step for step in wanted & by_step.keys() if abs(by_step[step][0] - curve[step - 1]) > 1e-9]
    if wrong:
        found.append(
            Problem(trial.trial_id, "values", f"reports {_list(sorted(wrong))} differ between Tune and MLflow")
        )
    return found


def _verify_checkpoint(books: Books, trial: Trial, run: Run, end: Outcome) -> list[Problem]:
    """Check that the network exists, can be loaded, is the same file as in MLflow, and has the logged validation PSNR."""
    if end is Outcome.FAILED:
        return []
    file = books.folders[trial.trial_id] / NETWORK_FILE
    try:
        load_network(file)
        kept = float(read_header(file)["extra"]["val_psnr"])
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        return [Problem(trial.trial_id, "checkpoint", str(error))]
    found = []
    logged = run.data.metrics.get(names.METRIC_BEST_VAL_PSNR)
    if logged is None or abs(kept - logged) > 1e-6:
        found.append(
            Problem(trial.trial_id, "psnr", f"validation PSNR {kept:.4f} dB in {file}, but {logged} in MLflow")
        )
    digest = _artifact_digest(books.client, run)
    if digest is None:
        found.append(Problem(trial.trial_id, "artifact", f"MLflow has no {_ARTIFACT}", True))
    elif digest != _digest(file):
        found.append(Problem(trial.trial_id, "artifact", f"MLflow's {_ARTIFACT} is not the file {file}", True))
    return found


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _artifact_digest(client: MlflowClient, run: Run) -> str | None:
    with TemporaryDirectory() as folder:
        try:
            file = artifact_file(client, run.info.run_id, _ARTIFACT, Path(folder))
        except SearchError:  # it is empty or too large, so it is not the trial's file
            return ""
        return None if file is None else _digest(file)


def _list(steps: Sequence[int]) -> str:
    return ", ".join(map(str, steps[:8])) + (", ..." if len(steps) > 8 else "")


def repair(books: Books, problems: Sequence[Problem]) -> list[str]:
    """Repair problems as far as possible, so that MLflow agrees with Tune's state; return one sentence per repair.

    Args:
        books: contents of the stores.
        problems: result of `verify` for them.
    """
    trials, done = {trial.trial_id: trial for trial in books.trials}, []
    for problem in problems:
        if not problem.mendable:
            continue
        if not problem.trial:
            books.client.set_terminated(books.parent.info.run_id, "KILLED")
            done.append("the parent run is closed as KILLED")
            continue
        run = books.runs_of(problem.trial)[0]
        trial = trials.get(problem.trial)
        done.append(_mend(books.client, run, trial, problem, books.folders.get(problem.trial)))
    return done


def _mend(client: MlflowClient, run: Run, trial: Trial | None, problem: Problem, folder: Path | None) -> str:
    run_id, name = run.info.run_id, f"{problem.trial}:"
    if problem.kind == "orphan" or trial is None:
        client.log_batch(run_id, tags=[RunTag(names.TAG_OUTCOME, names.OUTCOME_ORPHAN)])
        client.set_terminated(run_id, "KILLED")
        return f"{name} the orphan's run is closed as KILLED"
    if problem.kind == "status":
        end = _ended(trial)
        assert end is not None, "only the status of a trial that has ended is a problem"
        client.log_batch(run_id, tags=[RunTag(names.TAG_OUTCOME, end.value)])
        client.set_terminated(run_id, _MLFLOW[end])
        return f"{name} its run is closed as {_MLFLOW[end]}, {end}"
    if problem.kind == "steps":
        curve = _curve(trial)
        there = {metric.step for metric in client.get_metric_history(run_id, names.METRIC_OBJECTIVE)}
        missing = [step for step in range(1, len(curve) + 1) if step not in there]
        client.log_batch(run_id, metrics=[Metric(names.METRIC_OBJECTIVE, curve[step - 1], 0, step) for step in missing])
        return f"{name} the reports {_list(missing)} of {names.METRIC_OBJECTIVE} are written again"
    assert folder is not None, "a trial of Tune has a folder"
    client.log_artifact(run_id, str(folder / NETWORK_FILE), names.ARTIFACT_CHECKPOINT)
    return f"{name} {_ARTIFACT} is logged again"
