"""What is not public in Ray is still there and does what this package believes: each test names what an upgrade has changed.

Most of it is seen in one small experiment of Tune's, interrupted and restored.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import cloudpickle, tune
from ray._private import ray_constants, services
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, MedianStoppingRule
from ray.tune.search.search_generator import SearchGenerator

from srcnn.tuning.adapters import ray_internals
from srcnn.tuning.adapters.ray_internals import loopback_only, own_process_groups
from srcnn.tuning.algorithms.fixed_list import Listed

_FAULTS = ("none", "full", "none", "killed")


def trainable(config: dict[str, Any]) -> None:
    tune.report({"objective": 1.0})
    if config["fault"] == "full":
        raise OSError(errno.ENOSPC, "whatever it says")
    if config["fault"] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    tune.report({"objective": 2.0})


class Probe(tune.Callback):  # type: ignore[misc]
    """Copies what it sees; it does not take that along in a pickle."""

    def __init__(self) -> None:
        self.statistics: dict[str, int] = {}
        self.states: list[list[int]] = []

    def __getstate__(self) -> dict[str, Any]:
        return {"statistics": {}, "states": []}

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self.statistics[trial.trial_id] = len(trial.run_metadata.metric_analysis)
        ray_internals.forget_statistics(trial)

    def on_experiment_end(self, trials: list[Trial], **info: Any) -> None:
        folder = ray_internals.state_folder(trials[0])
        self.states.append([len(list(folder.glob(pattern))) for pattern in ray_internals.STATE_FILES])


@dataclass
class Seen:
    """What one experiment left."""

    folder: Path
    probe: Probe
    trials: list[Trial]
    failures: dict[str, BaseException] = field(default_factory=dict)

    def with_fault(self, name: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.config["fault"] == name]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray.cloudpickle.register_pickle_by_value(inspect.getmodule(trainable))
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def seen(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder, probe, searcher = tmp_path_factory.mktemp("ray") / "experiment", Probe(), Listed([])
    searcher._trials = [{"fault": fault} for fault in _FAULTS]  # not what this project's own trials are given
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=FIFOScheduler(),
            num_samples=len(_FAULTS),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name=folder.name, storage_path=str(folder.parent), callbacks=[probe], verbose=0),
    )
    with ray_internals.newest_failures() as failures, ray_internals.patient_resets():
        results = tuner.fit()
    return Seen(folder, probe, ray_internals.trials_of(results), failures)


def test_result_grid_experiment_analysis_has_the_trials(seen: Seen) -> None:
    assert sorted(trial.config["fault"] for trial in seen.trials) == sorted(_FAULTS)
    assert {trial.status for trial in seen.with_fault("none")} == {Trial.TERMINATED}


def test_trial_storage_has_the_folder_of_the_states(seen: Seen) -> None:
    ((states, *others),) = seen.probe.states
    assert states == 1
    assert sum(others) >= 2


def test_trial_run_metadata_has_the_statistics(seen: Seen) -> None:
    assert {trial.trial_id for trial in seen.with_fault("none")} <= seen.probe.statistics.keys()
    assert min(seen.probe.statistics.values()) > 0
    assert all(not trial.run_metadata.metric_analysis for trial in seen.with_fault("none"))


def test_trial_handle_error_is_given_the_exception_itself(seen: Seen) -> None:
    (full,), (killed,) = seen.with_fault("full"), seen.with_fault("killed")
    error = seen.failures[full.trial_id]
    assert isinstance(error, RayTaskError)
    assert isinstance(error.cause, OSError)
    assert error.cause.errno == errno.ENOSPC
    assert isinstance(seen.failures[killed.trial_id], RayActorError)
    assert seen.failures.keys() == {full.trial_id, killed.trial_id}


def test_a_trials_files_hold_the_text_of_its_error(seen: Seen) -> None:
    (full,), (killed,) = seen.with_fault("full"), seen.with_fault("killed")
    error, text = ray_internals.kept_failure(full)
    assert error is None
    assert text.strip().endswith("whatever it says")
    error, text = ray_internals.kept_failure(killed)
    assert isinstance(error, RayActorError)
    assert str(error) in text
    assert not error.preempted
    assert ray_internals.kept_failure(seen.with_fault("none")[0]) == (None, "")


def test_the_texts_of_a_lost_process_are_known() -> None:
    texts = [RayActorError(), ActorDiedError(), ActorUnavailableError("gone", b"0123456789abcdef")]
    for error in texts:
        assert ray_internals._LOST_PROCESS.match(str(error)), error


def test_a_pickled_error_is_not_read(seen: Seen) -> None:
    """Workers write to the folder of a trial, so anything may lie there."""
    (full,) = seen.with_fault("full")
    file = Path(str(full.pickled_error_file))
    before = file.read_bytes()
    try:
        file.write_bytes(b"not a pickle")
        assert ray_internals.kept_failure(full)[1].strip().endswith("whatever it says")
    finally:
        file.write_bytes(before)


def test_the_newest_error_counts(seen: Seen) -> None:
    (killed,) = seen.with_fault("killed")
    file = Path(str(killed.error_file))
    before = file.read_text(encoding="utf-8")
    try:
        file.write_text(f"{before}Failure # 9 (occurred at a time)\nof another kind\n", encoding="utf-8")
        error, text = ray_internals.kept_failure(killed)
    finally:
        file.write_text(before, encoding="utf-8")
    assert error is None
    assert text.endswith("of another kind\n")


def test_the_names_of_tunes_files(seen: Seen) -> None:
    for pattern in (ray_internals.TRIAL_STATES, ray_internals.SEARCHER_STATES, ray_internals.TUNER_FILE):
        assert list(seen.folder.glob(pattern)), pattern
    (state,) = seen.folder.glob(ray_internals.TRIAL_STATES)
    assert ray_internals.is_trial_state(state)
    assert not ray_internals.is_generator_state(state)
    assert len(json.loads(state.read_text(encoding="utf-8"))["trial_data"]) == len(_FAULTS)


def test_the_trials_in_a_folder(seen: Seen) -> None:
    found = ray_internals.trials_in(seen.folder)
    assert {trial.trial_id for trial in found} == {trial.trial_id for trial in seen.trials}


def test_search_generator_state_has_total_samples_and_finished(seen: Seen) -> None:
    (file,) = (file for file in seen.folder.iterdir() if ray_internals.is_generator_state(file))
    before = file.read_bytes()
    try:
        state = cloudpickle.loads(before)
        assert (state["total_samples"], state["counter"]) == (len(_FAULTS), len(_FAULTS))
        ray_internals.allow_trials(file, 2)  # no fewer
        assert cloudpickle.loads(file.read_bytes())["total_samples"] == len(_FAULTS)
        ray_internals.allow_trials(file, 9)
        generator = SearchGenerator(Listed([]))
        generator.set_state(cloudpickle.loads(file.read_bytes()))
    finally:
        file.write_bytes(before)
    assert generator.total_samples == 9
    assert not generator.is_finished()


def test_tuner_parts_are_the_objects_of_a_restored_tuner(seen: Seen) -> None:
    tuner = tune.Tuner.restore(str(seen.folder), trainable)
    parts = ray_internals.tuner_parts(tuner)
    (probe,) = parts.callbacks
    assert isinstance(probe, Probe)
    assert probe is not seen.probe
    assert isinstance(parts.scheduler, FIFOScheduler)
    assert isinstance(parts.searcher, Listed)
    tuner.fit()  # nothing is left to run
    assert len(probe.states) == 1  # and it is this one that Tune calls


def test_tuner_parts_are_the_objects_that_a_new_tuner_was_given(cluster: None, tmp_path: Path) -> None:
    probe, scheduler, searcher = Probe(), FIFOScheduler(), Listed([])
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(search_alg=searcher, scheduler=scheduler),
        run_config=tune.RunConfig(name="new", storage_path=str(tmp_path), callbacks=[probe]),
    )
    parts = ray_internals.tuner_parts(tuner)
    assert parts.callbacks == [probe]
    assert parts.scheduler is scheduler
    assert parts.searcher is searcher


def test_the_head_has_a_resource_of_its_own(cluster: None) -> None:
    assert ray.cluster_resources()[ray_internals.HEAD_NODE] == 1.0


def test_median_stopping_rule_stopped_trials_is_a_set() -> None:
    rule = MedianStoppingRule(time_attr="epoch", metric="objective", mode="max")
    trial = object()
    rule._stopped_trials.add(trial)
    ray_internals.forgive(rule, trial)
    ray_internals.forgive(rule, trial)
    assert not rule._stopped_trials


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("_trial_task_failure", ["self", "trial", "exception"]),
        ("_set_trial_status", ["self", "trial", "status"]),
        ("_mark_trial_to_checkpoint", ["self", "trial"]),
    ],
)
def test_methods_of_tune_controller_take_what_they_are_given(name: str, arguments: list[str]) -> None:
    assert list(inspect.signature(getattr(TuneController, name)).parameters) == arguments


def test_trial_handle_error_takes_an_exception() -> None:
    assert list(inspect.signature(Trial.handle_error).parameters) == ["self", "exc"]
    assert "exc" not in inspect.signature(tune.Callback.on_trial_error).parameters  # else there is a public way


@pytest.mark.parametrize("name", ["_resetting_trials", "_trial_to_actor"])
def test_tune_controller_has_its_books(name: str) -> None:
    assert f"self.{name}" in inspect.getsource(TuneController.__init__)


def test_rays_loopback_switch_is_set_inside_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    monkeypatch.delenv(name, raising=False)
    before = ray_constants.ENABLE_RAY_CLUSTER
    with loopback_only():
        assert (os.environ[name], ray_constants.ENABLE_RAY_CLUSTER) == ("0", False)
        assert services.get_localhost_ip() in ("127.0.0.1", "::1")
    assert name not in os.environ
    assert before == ray_constants.ENABLE_RAY_CLUSTER
    monkeypatch.setenv(name, "1")  # told otherwise
    with loopback_only():
        assert (os.environ[name], ray_constants.ENABLE_RAY_CLUSTER) == ("1", before)


def test_rays_processes_get_groups_of_their_own_inside_the_block_alone() -> None:
    before, script = services.ConsolePopen, "import os; print(os.getpgid(0) == os.getpid())"
    assert "ConsolePopen(" in inspect.getsource(services.start_ray_process)
    with own_process_groups():
        process = services.ConsolePopen([sys.executable, "-c", script], stdout=subprocess.PIPE, creationflags=0)
        assert process.communicate()[0] == b"True\n"
    assert services.ConsolePopen is before


def test_the_patches_end_with_their_block() -> None:
    before = TuneController._trial_task_failure, Trial.handle_error
    with pytest.raises(ZeroDivisionError), ray_internals.patient_resets(), ray_internals.newest_failures():
        assert TuneController._trial_task_failure is not before[0]
        assert Trial.handle_error is not before[1]
        _ = 1 / 0
    assert (TuneController._trial_task_failure, Trial.handle_error) == before
