"""What Tune says of trials reaches the store, the snapshots and the listeners: a real store, Tune's own trials, no Ray."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mlflow.entities import Run
from ray import exceptions, tune
from ray.tune.experiment import Trial

from srcnn.config.training import TrainConfig
from srcnn.errors import SearchError
from srcnn.model.network import SRCNN
from srcnn.training.checkpoint import TrainState, save_state
from srcnn.tuning.driver.callback import SearchCallback, failure_line
from srcnn.tuning.driver.context import DriverContext, StageRun
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.snapshot import FOLDER, newest_snapshot
from srcnn.tuning.tracking.reader import fields_of
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import STATE_FILE

SPEC = TrialSpec(TrainConfig(kernels=(5, 1, 3), filters=(8, 4), scale=3, seed=7), {"n1": 8}, tags={"srcnn.cell": "c"})
DATASETS: dict[int | str, dict[str, str]] = {3: {"name": "T91", "digest": "abc", "images": "9"}}


class Driven:
    """A stage with an open search, and a folder in which this test writes what Tune would."""

    def __init__(self, folder: Path, stage: str = "search") -> None:
        self.folder, self.staging = folder / "stage", folder / "staging"
        self.folder.mkdir()
        self.staging.mkdir()
        (self.folder / "tuner.pkl").write_bytes(b"tuner")
        self.tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", folder / "journal")
        self.tracker.open_search("s", {}, {})
        self.heard: list[Event] = []
        self.run = StageRun(DriverContext(self.tracker, listeners=(self.heard.append,)), trials=2)
        self.callback = SearchCallback(self.folder, {"device": "CPU"}, DATASETS, stage)
        self.callback.attach(self.run)

    def trial(self, key: str = "t1", spec: TrialSpec = SPEC, **resources: float) -> Trial:
        trial = Trial("train", config=spec.to_tune(), trial_id=key, stub=True, max_failures=4)
        trial.update_resources(tune.PlacementGroupFactory([{"CPU": 1.0, **resources}]))
        local = str(self.folder / key)
        trial.storage = SimpleNamespace(
            experiment_driver_staging_path=str(self.staging), trial_driver_staging_path=local, trial_fs_path=local
        )
        return trial

    def start(self, trial: Trial) -> None:
        self.callback.on_trial_start(0, [trial], trial)

    def report(self, trial: Trial, report: TrialReport) -> None:
        trial.update_last_result(report.to_json())
        self.callback.on_trial_result(0, [trial], trial, report.to_json())

    def complete(self, trial: Trial) -> None:
        self.callback.on_trial_complete(0, [trial], trial)

    def tune_writes_its_state(self, second: int) -> None:
        for name in (f"experiment_state-{second:04}.json", "searcher-state-1.pkl"):
            file = self.staging / name
            file.write_text("{}", encoding="utf-8")
            os.utime(file, (second, second))

    def stored(self, key: str = "t1") -> Run:
        (run,) = (run for run in self.tracker.children() if run.data.tags["srcnn.trial"] == key)
        return run

    def steps(self, name: str, key: str = "t1") -> list[tuple[int, float]]:
        history = self.tracker.client.get_metric_history(self.stored(key).info.run_id, name)
        return sorted((metric.step, metric.value) for metric in history)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.heard]


@pytest.fixture
def driven(tmp_path: Path, empty: Path) -> Iterator[Driven]:
    shutil.copy(empty, tmp_path)
    made = Driven(tmp_path)
    yield made
    made.tracker.close_search("KILLED")


def report(epoch: int, objective: float, epochs: int = 9, **fields: Any) -> TrialReport:
    figures = EpochFigures(objective, best_objective=objective, val_gain=2 * objective)
    return TrialReport(epoch, epochs, (0.5,) * (epoch - 1) + (objective,), figures, **fields)


def test_a_callback_works_for_the_run_that_it_is_given(tmp_path: Path) -> None:
    callback = SearchCallback(tmp_path, {}, {}, "search")
    heard: list[Event] = []
    run = StageRun(DriverContext(Tracker("sqlite:///never-opened.db"), listeners=(heard.append,)), trials=1)
    callback.attach(run)
    copy = pickle.loads(
        pickle.dumps(callback)
    )  # as Tune's restore makes one; a list's method could be pickled, a client not
    with pytest.raises(AssertionError, match=r"attach\(\) must be called first"):
        copy.on_step_begin(0, [])
    copy.attach(run)
    copy.on_step_begin(0, [])
    run.expected = {"t1"}
    with pytest.raises(SearchError, match="did not restore 1 trial of"):
        copy.on_step_begin(0, [])


# The record in MLflow


def test_a_trial_is_recorded_from_start_to_end(driven: Driven) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(1, 0.5, epochs=2))
    driven.report(trial, report(2, 0.75, epochs=2, device="cuda 3", node="n", latency_ms=4.5))
    driven.complete(trial)
    run = driven.stored()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "x3 5-1-3 (8-4) lr 5.0e-04"
    assert (run.data.params["n1"], run.data.params["kernels"], run.data.params["seed"]) == ("8", "5-1-3", "7")
    assert "patch_size" not in run.data.params and fields_of(run.data.params, run.data.tags)["patch_size"]
    expected = {"device": "CPU", "stage": "search", "reference": "False", "srcnn.cell": "c", "outcome": "finished"}
    assert {**run.data.tags, **expected, "trial.device": "cuda 3", "trial.node": "n"} == run.data.tags
    assert run.inputs.dataset_inputs[0].dataset.digest == "abc"
    assert driven.steps("objective") == [(1, 0.5), (2, 0.75)]
    assert driven.steps("val_gain") == [(1, 1.0), (2, 1.5)]
    assert driven.steps("latency_ms") == [(2, 4.5)]
    assert "loss" not in run.data.metrics  # was not measured


def test_a_trial_that_is_stopped_early_is_no_failure(driven: Driven) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(2, 0.5))
    driven.complete(trial)
    assert driven.stored().data.tags["outcome"] == "stopped"
    assert driven.stored().info.status == "FINISHED"


def test_a_failure_that_the_trial_reports_is_its_end_and_no_epoch(driven: Driven) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(1, 0.5))
    failure = "DivergenceError: the loss is nan"
    driven.report(trial, TrialReport(2, 9, (0.5,), None, failure=failure, failure_kind="DivergenceError"))
    driven.complete(trial)
    run = driven.stored()
    assert run.info.status == "FAILED"
    assert (run.data.tags["outcome"], run.data.tags["failure"]) == ("failed", failure)
    assert run.data.tags["failure.kind"] == "DivergenceError"
    assert driven.steps("objective") == [(1, 0.5)]


def test_a_trial_that_ended_without_a_word_has_failed(driven: Driven) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.complete(trial)
    assert driven.stored().data.tags["outcome"] == "failed"
    assert "failure" not in driven.stored().data.tags


def test_epochs_that_nobody_heard_of_come_from_the_trials_own_state(driven: Driven) -> None:
    """The driver was killed after epoch 1; the worker went on, and the first report after the resume is that of epoch 3."""
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(1, 0.25))
    figures = [EpochFigures(objective, loss=objective / 100).to_json() for objective in (0.25, 0.5, 0.75)]
    numbers = {"epoch": 3, "step": 1, "seconds": 1.0, "best_epoch": 3, "best_psnr": 30.0, "figures": figures}
    tensors = {f"network.{name}": tensor for name, tensor in SRCNN(SPEC.config.architecture).state_dict().items()}
    tensors["generator"] = torch.Generator().get_state()
    save_state(driven.folder / "t1" / STATE_FILE, TrainState(SPEC.config, tensors, numbers))
    driven.report(trial, report(3, 0.75))
    assert driven.steps("objective") == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert driven.steps("loss") == [(2, 0.005)]  # that of the missing epoch alone
    driven.report(trial, report(2, 0.5))  # told again by an attempt that began before
    assert driven.steps("objective") == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_the_network_is_kept_where_there_is_one(driven: Driven) -> None:
    trial, other = driven.trial(), driven.trial("t2")
    for one in (trial, other):
        driven.start(one)
        driven.report(one, report(9, 0.5))
    (driven.folder / "t1").mkdir()
    (driven.folder / "t1" / "network.safetensors").write_bytes(b"weights")
    driven.complete(trial)
    driven.complete(other)
    client = driven.tracker.client
    files = client.list_artifacts(driven.stored("t1").info.run_id, "checkpoint")
    assert [file.path for file in files] == ["checkpoint/network.safetensors"]
    files = client.list_artifacts(driven.stored("t2").info.run_id)
    assert [file.path for file in files] == ["config.yaml"]


@pytest.mark.parametrize(("stage", "name"), [("search", SPEC.name), ("confirm", f"{SPEC.name} seed 7")])
def test_the_seed_is_part_of_the_name_where_seeds_differ(tmp_path: Path, empty: Path, stage: str, name: str) -> None:
    shutil.copy(empty, tmp_path)
    driven = Driven(tmp_path, stage)
    driven.start(driven.trial())
    assert driven.heard[0].name == name == driven.stored().info.run_name
    assert driven.stored().data.tags["srcnn.configuration"] == SPEC.name
    driven.tracker.close_search("KILLED")


# Snapshots, and what may be told when


def test_an_end_is_told_once_and_only_when_a_snapshot_knows_of_it(driven: Driven) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(9, 0.5))
    driven.complete(trial)
    driven.complete(trial)  # Tune may say it twice
    driven.callback.on_step_end(0, [trial])  # no state was written
    assert driven.kinds == ["start", "report"]
    assert newest_snapshot(driven.folder) is None
    driven.tune_writes_its_state(1)
    driven.callback.on_step_end(1, [trial])
    assert driven.kinds == ["start", "report", "end"]
    end = driven.heard[-1]
    assert (end.outcome, end.trials, end.report) == (Outcome.FINISHED, 2, driven.heard[1].report)
    kept = newest_snapshot(driven.folder)
    assert kept is not None
    assert kept.journal == driven.tracker.journal_length > 0


def test_a_state_is_copied_once(driven: Driven) -> None:
    trials = [driven.trial()]
    driven.tune_writes_its_state(1)
    for _ in range(3):
        driven.callback.on_step_end(0, trials)
    assert len(list((driven.folder / FOLDER).iterdir())) == 1
    driven.tune_writes_its_state(2)
    driven.callback.on_experiment_end(trials)
    assert len(list((driven.folder / FOLDER).iterdir())) == 2
    driven.callback.on_experiment_end([])  # a stage that never had a trial


def test_a_trial_that_starts_again_ends_again(driven: Driven) -> None:
    trial = driven.trial()
    for second in (1, 2):
        driven.start(trial)
        driven.complete(trial)
        driven.tune_writes_its_state(second)
        driven.callback.on_step_end(0, [trial])
    assert driven.kinds == ["start", "end"] * 2
    assert len(driven.tracker.children()) == 1  # in the run that it had


# Accidents


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """What arrives where Tune listens while it runs."""
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


def recovered(driven: Driven, error: BaseException, **resources: float) -> Trial:
    trial = driven.trial("t1", SPEC, **resources)
    driven.start(trial)
    driven.run.errors = {"t1": error}
    driven.callback.on_trial_recover(0, [trial], trial)
    assert driven.kinds == ["start", "fault"]
    return trial


@pytest.mark.parametrize(("share", "then"), [(0.25, 0.5), (0.75, 1.0), (1.0, 1.0)])
def test_a_trial_out_of_memory_is_given_twice_the_share(
    driven: Driven, stops: list[int], share: float, then: float
) -> None:
    trial = recovered(driven, torch.OutOfMemoryError("no room"), GPU=share)
    assert trial.placement_group_factory.bundles[0]["GPU"] == then
    assert trial.max_failures == 4
    assert stops == []


def test_a_trial_whose_own_code_raised_is_tried_once_more(driven: Driven, stops: list[int]) -> None:
    trial = recovered(driven, KeyError("n1"), GPU=0.25)
    assert trial.max_failures == 1
    assert trial.placement_group_factory.bundles[0]["GPU"] == 0.25
    assert driven.heard[-1].failure == "'n1'"
    assert stops == []


def test_a_trial_whose_process_died_keeps_its_retries(driven: Driven, stops: list[int]) -> None:
    trial = recovered(driven, exceptions.ActorDiedError(), GPU=0.25)
    assert trial.max_failures == 4
    assert trial.placement_group_factory.bundles[0]["GPU"] == 0.25
    assert stops == []


def test_a_full_disk_stops_the_stage_once(driven: Driven, stops: list[int]) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    first = recovered(driven, error)
    second = driven.trial("t2")
    driven.start(second)
    driven.run.errors = {"t1": error, "t2": error}
    driven.callback.on_trial_error(0, [first, second], second)
    assert driven.run.disk_full
    assert stops == [signal.SIGUSR1]


def test_a_trial_that_tune_gives_up_has_failed_with_its_reason(driven: Driven, stops: list[int]) -> None:
    trial = driven.trial()
    driven.start(trial)
    driven.report(trial, report(2, 0.5))
    driven.run.errors = {"t1": exceptions.ActorDiedError()}
    driven.callback.on_trial_error(0, [trial], trial)
    run = driven.stored()
    assert (run.info.status, run.data.tags["outcome"]) == ("FAILED", "failed")
    assert run.data.tags["failure"] == failure_line(trial, driven.run) == "its process died"
    (end,) = driven.run.pending_ends
    assert (end.outcome, end.failure) == (Outcome.FAILED, "its process died")
    assert end.report is not None and end.report.epoch == 2
    assert not driven.run.disk_full and stops == []


def test_what_ended_a_trial_before_a_restore_stands_in_tunes_files(driven: Driven) -> None:
    trial = driven.trial()
    trial.run_metadata.error_filename = "error.txt"
    (driven.folder / "t1").mkdir()
    text = (
        "Failure # 1 (occurred at a time)\nKeyError: 'old'\nFailure # 2 (occurred later)\nTraceback:\nKeyError: 'n1'\n"
    )
    (driven.folder / "t1" / "error.txt").write_text(text, encoding="utf-8")
    assert failure_line(trial, driven.run) == "KeyError: 'n1'"
    driven.run.errors = {"t1": ValueError("newer")}
    assert failure_line(trial, driven.run) == "newer"
