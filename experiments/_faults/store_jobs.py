"""Jobs with a store: a search without Ray (`_faults.driver`), the promotion of a champion, and the repair of a store."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import mlflow.pyfunc  # loaded once, before a job is forked
import numpy as np
import optuna
import pandas as pd
import torch
from mlflow.tracking import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from srcnn.commands import runs as runs_command
from srcnn.commands.command_line import run
from srcnn.config.training import TrainConfig
from srcnn.errors import SRCNNError
from srcnn.evaluation.protocol import evaluate
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.tuning.driver.cluster import be_quiet
from srcnn.tuning.driver.optuna_mirror import FILE
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking import image_model, names
from srcnn.tuning.tracking import tracker as tracker_module
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.champion import promote
from srcnn.tuning.whole_search.choice import Choice, Confirmed
from srcnn.tuning.whole_search.consistency import open_books, verify

from _faults.cases import Job, State
from _faults.driver import NAME, SPACE, Driver
from _faults.small_jobs import picture

__all__ = ["loop_job", "promotion_job", "repair_job"]

_TRIALS = 4
_PATIENCE = 10.0  # seconds
_LOADED = (mlflow.pyfunc, pd, image_model)


def _impatient() -> None:
    """Wait ten seconds for a store that has failed, and not a quarter of an hour, at the end of what this process does."""
    setattr(tracker_module, "PATIENCE", _PATIENCE)  # noqa: B010 (imported there from another module)
    Tracker.flush.__defaults__ = (_PATIENCE,)


# A search without Ray.


def _begin(folder: Path) -> None:
    (folder / "space.yaml").write_text(SPACE, encoding="utf-8")
    # A store with its tables, which take seconds to make.
    MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()


def _search(folder: Path) -> int:
    be_quiet()
    _impatient()

    def work() -> int:
        driver = Driver(folder, _TRIALS)
        try:
            driver.go_on()
        except BaseException:
            driver.close("FAILED")  # as `run_search` does
            raise
        return 0

    return run(work, "interrupted")


def books_state(name: str, storage: Path, uri: str) -> dict[str, Any]:
    """Return what the stores say of a search: its problems, and its trials by configuration."""
    books = open_books(name, storage, uri)
    trials = {}
    for trial in books.trials:
        report, spec = TrialReport.last_of(trial.last_result), TrialSpec.from_tune(trial.config)
        curve = [] if report is None else [round(value, 9) for value in report.curve]
        tags = [dict(run.data.tags) for run in books.runs_of(trial.trial_id)]
        told = [[one.get(names.TAG_OUTCOME), one.get(names.TAG_STAGE)] for one in tags]
        trials[f"{spec.name} {spec.config.learning_rate:.9g} seed {spec.config.seed}"] = [trial.status, curve, told]
    return {
        "problems": sorted(f"{one.kind}: {one.text}" for one in verify(books)),
        "trials": trials,
        "runs": len(books.runs),
        "status": books.parent.info.status,
        "params": dict(books.parent.data.params),
        "sets": len(books.parent.inputs.dataset_inputs),
        "params of trials": sorted(f"{run.data.params} {len(run.inputs.dataset_inputs)}" for run in books.runs),
        "optuna": sorted(state.name for state in (books.optuna or {}).values()),
    }


def mirror_state(file: Path) -> list[list[Any]]:
    """Return the trials in the copy for Optuna's dashboard, by study."""
    storage = JournalStorage(JournalFileBackend(str(file)))
    found = []
    for study in optuna.get_all_study_names(storage):
        trials = optuna.load_study(study_name=study, storage=storage).get_trials(deepcopy=False)
        found += [
            [study, trial.user_attrs["name"], trial.state.name, len(trial.intermediate_values)] for trial in trials
        ]
    return sorted(found)


def _searched(folder: Path) -> State:
    stage = folder / "mlruns/ray" / NAME
    state = books_state(NAME, stage.parent, f"sqlite:///{folder / 'mlflow.db'}")
    return {**state, "mirror": mirror_state(stage / FILE)}


def loop_job() -> Job:
    """A search with pauses without Ray: searcher, scheduler, callback, journal, snapshots, MLflow, Optuna's copy."""
    return Job(
        "loop", _begin, _search, _searched, certain=False
    )  # the sender and the copy for Optuna work by the clock


# A repair.


def _broken(folder: Path) -> None:
    _begin(folder)
    if _search(folder):
        raise SRCNNError("the search failed")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client, books = MlflowClient(uri), open_books(NAME, folder / "mlruns/ray", uri)
    one, two, three, *_ = (run for run in books.runs if run.data.tags[names.TAG_OUTCOME] != Outcome.FAILED)
    client.update_run(one.info.run_id, status="RUNNING")
    client.set_tag(one.info.run_id, names.TAG_OUTCOME, "")
    client.update_run(books.parent.info.run_id, status="RUNNING")
    (artifact,) = folder.glob(f"artifacts/{two.info.run_id}/artifacts/checkpoint/network.safetensors")
    artifact.write_bytes(b"torn")
    (other,) = folder.glob(f"artifacts/{three.info.run_id}/artifacts/checkpoint/network.safetensors")
    other.unlink()
    tags = {names.TAG_PARENT_RUN: books.parent.info.run_id, names.TAG_TRIAL: "nobody"}
    client.create_run(books.parent.info.experiment_id, tags=tags)


def _repair(folder: Path) -> int:
    be_quiet()
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return runs_command.main(["repair", NAME, "--tracking-uri", uri, "--storage", str(folder / "mlruns/ray")])


def _repaired(folder: Path) -> State:
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    books = open_books(NAME, folder / "mlruns/ray", uri)
    runs = {
        run.data.tags[names.TAG_TRIAL]: [run.info.status, run.data.tags.get(names.TAG_OUTCOME)] for run in books.runs
    }
    return {**books_state(NAME, folder / "mlruns/ray", uri), "runs by trial": runs}


def repair_job() -> Job:
    """`runs.py repair` of a store with an open run, an open search, a torn and a missing network, and an orphan."""
    return Job("repair", _broken, _repair, _repaired)


# The promotion of a champion.

_CONFIG = TrainConfig(kernels=(5, 1, 3), filters=(4, 4), scale=3)


def _promoted_before(folder: Path) -> None:
    _begin(folder)
    (folder / "space.yaml").write_text(SPACE.replace("scale: 2", "scale: 3"), encoding="utf-8")
    for kind, count in (("train", 8), ("test", 1)):
        (folder / kind).mkdir()
        for number in range(count):
            picture(number if kind == "train" else 50 + number, 48, 48).save(folder / kind / f"{number}.png")
    _promote("first", 0.0, folder)


def _promote(name: str, lead: float, folder: Path) -> int:
    be_quiet()
    _impatient()

    def work() -> int:
        plan = _plan(name)
        tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", folder / "mlruns/ray" / name)
        status = "FAILED"
        try:
            tracker.open_search(name, {"device": "CPU"}, {"trials": 1})
            said = promote(plan, tracker, _choice(plan, tracker, folder, name, lead))
            status = "FINISHED"
        finally:
            if tracker.parent_id:
                tracker.close_search(status)
        print(said)
        if "failed" in said or "cannot be read" in said:  # the search has ended, and another one would be compared
            raise SRCNNError(said)
        return 0

    return run(work, "interrupted")


def _plan(name: str) -> Plan:
    return plan_search(
        SearchSettings(
            name=name,
            space="space.yaml",
            train="train",
            test=("test",),
            validation=2,
            judging=4,
            budget=1e5,
            enqueue=(),
        )
    )


def _choice(plan: Plan, tracker: Tracker, folder: Path, name: str, lead: float) -> Choice:
    file = folder / "mlruns/ray" / name / f"trial-{name}" / "network.safetensors"
    torch.manual_seed(0)
    network = SRCNN(_CONFIG.architecture)
    if not file.exists():
        save_network(file, network.state_dict(), _CONFIG, {})
    tracker.start_trial(name, name, {"scale": 3}, {}, {"name": "n", "digest": "d", "images": "1"})
    tracker.log_file(name, file, "checkpoint")
    tracker.end_trial(name, "FINISHED", {"outcome": "finished"})
    tracker.flush()
    ours, plain = (evaluate(one, plan.judging.images, 3, with_ssim=False).images for one in (network, None))
    gains = np.array([a.psnr - b.psnr for a, b in zip(ours, plain, strict=True)])
    judged = gains + np.array([[-0.01], [0.0], [0.01]]) + lead
    report = TrialReport(9, 9, (1.0,), EpochFigures(1.0, best_objective=1.0, best_val_psnr=30.0, best_val_gain=1.0))
    row = TrialResult(name, TrialSpec(_CONFIG, label=name), Outcome.FINISHED, report, checkpoint=file)
    return Choice(3, (Confirmed((row,), np.ones((2, 2)), (row,), judged),))


def _registered(folder: Path) -> State:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    name = names.registered_model(3)
    runs = {run.info.run_id: run for run in client.search_runs(["1"])}
    versions = {}
    for one in client.search_model_versions(f"name='{name}'"):
        trial = runs[one.run_id]
        artifacts = folder / "artifacts" / one.run_id / "artifacts"
        files = {
            path.relative_to(artifacts).as_posix(): path.stat().st_size > 0
            for path in artifacts.rglob("*")
            if path.is_file()
        }
        network = hashlib.sha256((artifacts / "checkpoint/network.safetensors").read_bytes()).hexdigest()[:16]
        kept = {tag: value for tag, value in one.tags.items() if "run" not in tag}
        tags = [trial.data.tags.get(names.TAG_REGISTERED), trial.info.status, trial.data.tags.get(names.TAG_TRIAL)]
        versions[str(one.version)] = [kept, sorted(files), len(network), tags]
    parents = [
        [
            run.data.tags[names.TAG_SEARCH],
            run.info.status,
            run.data.tags.get(names.champion_tag(3)),
            dict(run.data.params),
        ]
        for run in runs.values()
        if run.data.tags[names.TAG_TRIAL] == names.PARENT
    ]
    aliases = dict(client.get_registered_model(name).aliases)
    return {"aliases": aliases, "versions": versions, "parents": sorted(parents), "runs": len(runs)}


def promotion_job() -> Job:
    """The winner of a search becomes champion in place of another one."""
    return Job("promotion", _promoted_before, partial(_promote, "second", 0.5), _registered)
