"""The driver of a search without Ray: real searcher, scheduler, callback, tracker, snapshots, listeners; only Tune's loop is not.

`Driver` calls them in the order in which Tune 2.60 does, with Tune's own trials, and writes the files that Tune writes. A
trial's training is a formula, but its files are real networks and training states. One worker at a time and a fixed order make a
search the same in every run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from ray import cloudpickle, tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.utils.serialization import TuneFunctionEncoder

from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.training.checkpoint import TrainState, save_state
from srcnn.tuning.algorithms.freeze_thaw import FreezeThaw
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.driver.callback import SearchCallback
from srcnn.tuning.driver.context import DriverContext, StageRun
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import LiveFile, LiveState
from srcnn.tuning.driver.optuna_mirror import OptunaMirror
from srcnn.tuning.driver.snapshot import journal_length, newest_snapshot, stage_trials
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking.tracker import open_tracker
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import NETWORK_FILE, STATE_FILE

__all__ = ["EPOCHS", "NAME", "SPACE", "Driver"]

NAME = "loop"  #: name of the search
EPOCHS = 4  #: reports of a full trial
SPACE = """\
parameters:
  n1: {type: categorical, choices: [4, 6]}
  n2: {type: categorical, choices: [4]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 2.0e-4, high: 8.0e-4, log: true}
constants: {scale: 2, patch_size: 24, batch_size: 8}
"""
_DATA = {"name": "T91", "digest": "abc", "images": "9"}


class Driver:
    """A search, begun or resumed from its newest snapshot.

    Args:
        folder: folder with the space file, for the store and the search.
        trials: maximum number of trials.
        seed: seed of the search.
        listener: called with every event.
        name: name of the search; several searches of one folder use one store.
    """

    def __init__(
        self,
        folder: Path,
        trials: int,
        seed: int = 1,
        listener: Callable[[Event], None] | None = None,
        name: str = NAME,
    ) -> None:
        self.folder, self.stage = folder, folder / "mlruns/ray" / name
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.staging = folder / ("staging" if name == NAME else f"staging-{name}")
        for one in (self.stage, self.staging):
            one.mkdir(parents=True, exist_ok=True)
        kept = newest_snapshot(self.stage)
        space = load_space(folder / "space.yaml")
        self.searcher = StudySearcher(space, seed, {"seed": 3}, pauses=True, epochs=EPOCHS)
        self.scheduler = FreezeThaw()
        self.scheduler.use_searcher(self.searcher)
        self.callback = SearchCallback(self.stage, {"device": "CPU"}, {2: _DATA}, "search")
        self.tracker = open_tracker(self.uri, self.stage)
        self.tracker.open_search(
            name, {}, {"trials": 5}, journal_length((self.stage,)), [{**_DATA, "context": "training"}]
        )
        self.live = LiveFile(self.stage, LiveState(name, trials, limit=None), {"tracking_uri": self.uri})
        self.mirror = OptunaMirror(self.stage, name, space)
        listeners = (self.live, self.mirror) if listener is None else (self.live, self.mirror, listener)
        self.run = StageRun(DriverContext(self.tracker, listeners=listeners), trials)
        self.callback.attach(self.run)
        self.trials: list[Trial] = []
        self.steps, self.over, self._number, self._closed = 0, False, 0, False
        if kept is None:
            (self.stage / "tuner.pkl").write_bytes(b"tuner")
        else:
            self.run.expected = kept.put_back(trials + 1)
            self._restore()
        self.run.continue_first = lambda ids: self.searcher.pauses.continue_first(ids) if self.searcher.pauses else None
        self.run.decisions = lambda trial_id: self.searcher.reasons.of(trial_id)
        assert self.searcher.pauses is not None, "its trials pause"
        self.searcher.pauses.use_limits(trials, lambda: 1)

    def _restore(self) -> None:
        (state,) = self.stage.glob("searcher-state-*.pkl")
        self.searcher.restore(str(state))
        self.trials = stage_trials(self.stage)
        self._number = json.loads(next(self.stage.glob("experiment_state-*.json")).read_text())["runner_data"]["number"]
        for trial in self.trials:
            trial.storage = self._storage(trial.trial_id)
            if trial.status not in (Trial.TERMINATED, Trial.ERROR):
                trial.set_status(Trial.PENDING)  # as Tune does
            self.scheduler.on_trial_add(self, trial)

    def _storage(self, trial_id: str) -> Any:
        here = str(self.stage / trial_id)
        return SimpleNamespace(
            experiment_driver_staging_path=str(self.staging), trial_driver_staging_path=here, trial_fs_path=here
        )

    def suggest(self) -> Trial | None:
        """Ask the searcher for a trial, as Tune does before it looks for one to run; None: there is no new one."""
        trial_id = hashlib.sha256(str(self._number).encode()).hexdigest()[:8]
        found = self.searcher.suggest(trial_id)
        if not isinstance(found, dict):
            return None
        self._number += 1
        trial = Trial("run_trial", config=found, trial_id=trial_id, stub=True, max_failures=4)
        trial.update_resources(tune.PlacementGroupFactory([{"CPU": 1.0}]))
        trial.storage = self._storage(trial_id)
        self.trials.append(trial)
        self.scheduler.on_trial_add(self, trial)
        return trial

    @property
    def running(self) -> Trial | None:
        """The trial that runs; None: none does."""
        return next((trial for trial in self.trials if trial.status == Trial.RUNNING), None)

    def start(self) -> Trial | None:
        """Let the free worker begin or continue a trial; None: there is nothing to do."""
        self.callback.on_step_begin(self.steps, self.trials)
        self.suggest()
        trial = self.scheduler.choose_trial_to_run(self)
        if trial is None:
            pauses = self.searcher.pauses
            self.over = pauses is not None and pauses.over and all(t.is_finished() for t in self.trials)
            return None
        trial.set_status(Trial.RUNNING)
        self.callback.on_trial_start(self.steps, self.trials, trial)
        return trial

    def report(self, trial: Trial, *, fails: bool = False) -> None:
        """Let the running trial train one epoch and report it, or fail for a reason of its own."""
        result = (self._failure(trial) if fails else self._epoch(trial)).to_json()
        decision = self.scheduler.on_trial_result(self, trial, result)
        if decision == TrialScheduler.STOP:
            result["done"] = True
        else:
            self.searcher.on_trial_result(trial.trial_id, result)
        self.callback.on_trial_result(self.steps, self.trials, trial, result)
        trial.update_last_result(result)
        report = TrialReport.from_json(result)
        if decision == TrialScheduler.PAUSE:
            trial.set_status(Trial.PAUSED)
        elif decision == TrialScheduler.STOP or report.last:
            self.scheduler.on_trial_complete(self, trial, result)
            self._end(trial, result)

    def _end(self, trial: Trial, result: dict[str, Any] | None) -> None:
        self.searcher.on_trial_complete(trial.trial_id, result)
        self.callback.on_trial_complete(self.steps, self.trials, trial)
        trial.set_status(Trial.TERMINATED)

    def stop_trial(self, trial: Trial) -> None:
        """End a trial that waits; the scheduler calls this at the end of the search."""
        self.scheduler.on_trial_remove(self, trial)
        self._end(trial, None)

    def lose(self, trial: Trial) -> None:
        """Let the process of the running trial die: Tune starts the trial again."""
        self.run.errors = {trial.trial_id: RuntimeError("its process died")}
        self.scheduler.on_trial_error(self, trial)
        self.callback.on_trial_recover(self.steps, self.trials, trial)
        trial.set_status(Trial.PENDING)
        self.scheduler.on_trial_add(self, trial)

    def _epoch(self, trial: Trial) -> TrialReport:
        """Train as a worker does, from its saved state: write network and state, and return the report."""
        spec, folder = TrialSpec.from_tune(trial.config), self.stage / trial.trial_id
        past = _figures_in(folder)
        if len(past) < EPOCHS and (len(past) == _told(trial)):  # else the last report was lost and is repeated
            epoch = len(past) + 1
            value = _objective(trial.config["spec"], epoch)
            past.append(
                EpochFigures(
                    value,
                    best_objective=value,
                    best_epoch=epoch,
                    best_val_psnr=30 + value,
                    best_val_gain=value,
                    val_psnr=30 + value,
                    val_gain=value,
                    cpu_seconds=1.0,
                )
            )
            torch.manual_seed(epoch)
            network = SRCNN(spec.config.architecture)
            best = {"val_psnr": 30 + value, "epoch": epoch}
            save_network(folder / NETWORK_FILE, network.state_dict(), spec.config, best)
            numbers: dict[str, Any] = {
                "epoch": epoch,
                "step": epoch,
                "seconds": 1.0,
                "best_epoch": epoch,
                "best_psnr": 30 + value,
            }
            numbers |= {"figures": [one.to_json() for one in past], "epochs": EPOCHS}
            tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
            tensors["generator"] = torch.Generator().get_state()
            save_state(folder / STATE_FILE, TrainState(spec.config, tensors, numbers))
        curve = tuple(one.objective for one in past)
        return TrialReport(len(past), EPOCHS, curve, past[-1], macs=100.0, parameters=10, device="cpu", node="n")

    def _failure(self, trial: Trial) -> TrialReport:
        past = _figures_in(self.stage / trial.trial_id)
        curve = tuple(one.objective for one in past)
        return TrialReport(
            len(past) + 1, EPOCHS, curve, None, failure="DivergedError: NaN", failure_kind="DivergedError"
        )

    def step_end(self, *, writes: bool) -> None:
        """End a step of Tune's loop, in which Tune may have written its state."""
        self.steps += 1
        if writes:
            self._write_state()
        self.callback.on_step_end(self.steps, self.trials)

    def _write_state(self) -> None:
        trials = [trial.get_json_state() for trial in self.trials]
        state = {"trial_data": trials, "runner_data": {"number": self._number}, "stats": {"start_time": 0.0}}
        (self.staging / "experiment_state-1.json").write_text(json.dumps(state, cls=TuneFunctionEncoder))
        self.searcher.save(str(self.staging / "searcher-state-1.pkl"))
        generator = {"total_samples": self.run.trials + 1, "finished": False}
        (self.staging / "search_gen_state-1.json").write_bytes(cloudpickle.dumps(generator))

    def finish(self, status: str = "FINISHED") -> None:
        """End the stage and the search: the last snapshot, and everything sent."""
        if self.trials:
            self._write_state()
        self.callback.on_experiment_end(self.trials)
        self.close(status)

    def close(self, status: str) -> None:
        """End the search with a status, once; what is not in a snapshot is dropped first."""
        if self._closed:
            return
        self._closed = True
        if status != "FINISHED":
            self.tracker.truncate_uncommitted()
        self.live.write("ended" if status == "FINISHED" else "failed")
        self.mirror.close()
        self.tracker.close_search(status)

    def go_on(self) -> None:
        """Run the search to its end. Tune writes its state in every third step."""
        while not self.over:
            trial = self.running or self.start()
            if trial is not None:
                self.report(trial)
            self.step_end(writes=self.steps % 3 == 2)
        self.finish()


def _figures_in(folder: Path) -> list[EpochFigures]:
    from srcnn.tuning.worker.run_trial import history

    return history(folder)


def _told(trial: Trial) -> int:
    report = TrialReport.last_of(trial.last_result)
    return 0 if report is None else len(report.curve)


@cache
def _objective(spec: str, epoch: int) -> float:
    """Return the objective of a configuration after an epoch: a curve that saturates, with an end that depends on it."""
    params = json.loads(spec)["params"]
    end = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).digest()[0] / 255
    return round((0.4 + 0.6 * end) * (1 - math.exp(-epoch / 2)), 6)
