"""What the driver does at every event of a search: write it to MLflow, keep its state, answer faults, tell whoever listens.

Tune pickles its callbacks with the experiment, so a listener (a progress bar, say) or a tracker cannot be part of one:
`SearchCallback.attach` gives them, in the process that runs the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from srcnn.config.training import TrainConfig
from srcnn.errors import SearchError
from srcnn.tuning.adapters.ray_internals import TRIAL_STATES, forget_statistics, kept_failure, state_folder
from srcnn.tuning.driver.cluster import end_in_good_order
from srcnn.tuning.driver.context import StageRun
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.faults import Fault, error_line, fault_of, more_room
from srcnn.tuning.driver.snapshot import keep_snapshot
from srcnn.tuning.tracking.tracker import flat_params
from srcnn.tuning.trials.objective import FAILED, METRIC
from srcnn.tuning.worker.run_trial import LOGGED, NETWORK_FILE, history

__all__ = ["SearchCallback", "failure_line", "outcome", "trial_name"]

_RETRIES = 1  # of a trial whose own code raised: what the program does once it will mostly do again


def outcome(result: dict[str, Any] | None) -> str:
    """How a trial ended, by its last report: ``finished``, ``stopped`` early or ``failed``."""
    if not result or result.get(METRIC, FAILED) <= FAILED:
        return "failed"
    return "finished" if result["epoch"] >= result["epochs"] else "stopped"


def trial_name(config: TrainConfig) -> str:
    """How a trial is called in tables: ``x3 9-1-5 (64-32) lr 2.0e-03``."""
    return f"x{config.scale} {config.name} lr {config.learning_rate:.1e}"


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
        self._folder, self._tags, self._datasets = folder, {**tags, "stage": stage}, datasets
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
        config = _config(trial)
        params = dict(trial.config["params"])
        whole = {k: v for k, v in config if k not in params}
        tags = {**self._tags, "reference": str(trial.config["baseline"]), **trial.config.get("tags", {})}
        self._run.context.tracker.start_trial(
            trial.trial_id,
            self._name(trial),
            {**params, **flat_params(whole.items())},
            tags,
            self._datasets[trial.config.get("data", config.scale)],
        )
        self._ended.discard(trial.trial_id)
        self._tell("start", trial, {}, "running")

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A report."""
        if result[METRIC] > FAILED:
            self._log(trial, result)
        self._tell("report", trial, result, "running")

    def _log(self, trial: Trial, result: dict[str, Any]) -> None:
        """The epoch that is reported, and those before it that nobody heard of."""
        tracker, epoch = self._run.context.tracker, int(result["epoch"])
        done = tracker.last_step(trial.trial_id)
        if done < epoch - 1:
            before = history(self._folder / trial.trial_id)
            for step in range(done + 1, min(epoch - 1, len(before[METRIC])) + 1):
                tracker.log_epoch(trial.trial_id, step, _figures({n: v[step - 1] for n, v in before.items()}))
        tracker.log_epoch(trial.trial_id, epoch, _figures(result))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial that ran to its end, was stopped early, or failed on its own account."""
        result = trial.last_result or {}
        end, tracker = outcome(result), self._run.context.tracker
        file = self._folder / trial.trial_id / NETWORK_FILE
        if file.is_file():
            tracker.log_file(trial.trial_id, file, "checkpoint")
        forget_statistics(trial)
        tags = {"outcome": end, **{f"trial.{name}": str(result.get(name, "")) for name in ("device", "node")}}
        if "failure" in result:
            tags["failure"] = str(result["failure"])
        tracker.end_trial(trial.trial_id, "FAILED" if end == "failed" else "FINISHED", tags)
        self._end(trial, result, end)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """An accident after which Tune begins the trial again: what caused it says how."""
        fault = fault_of(self._run.errors.get(trial.trial_id))
        if fault is Fault.DISK_FULL:
            self._stop()
        elif fault is Fault.MEMORY:
            trial.update_resources(more_room(trial))
        elif fault is Fault.OWN:
            trial.max_failures = min(trial.max_failures, _RETRIES)
        self._tell("fault", trial, {"failure": failure_line(trial, self._run)}, "running")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial by an accident, after Tune's retries."""
        failure = failure_line(trial, self._run)
        if fault_of(self._run.errors.get(trial.trial_id)) is Fault.DISK_FULL:
            self._stop()
        self._run.context.tracker.end_trial(trial.trial_id, "FAILED", {"outcome": "failed", "failure": failure})
        self._end(trial, {**(trial.last_result or {}), "failure": failure}, "failed")

    def _stop(self) -> None:
        if not self._run.disk_full:
            self._run.disk_full = True
            end_in_good_order()

    def _name(self, trial: Trial) -> str:
        config = _config(trial)
        name = trial.config.get("name") or trial_name(config)
        return name if self._stage == "search" else f"{name} seed {config.seed}"

    def _end(self, trial: Trial, result: dict[str, Any], end: str) -> None:
        if trial.trial_id not in self._ended:
            self._ended.add(trial.trial_id)
            self._tell("end", trial, result, end)

    def _tell(self, kind: str, trial: Trial, result: dict[str, Any], end: str) -> None:
        config = _config(trial)
        event = Event(kind, trial.trial_id, self._name(trial), config, dict(result), end, self._stage, self._run.trials)
        if kind == "end":
            self._run.untold.append(event)
        else:
            self._run.tell(event)


def _config(trial: Trial) -> TrainConfig:
    return TrainConfig.from_json(trial.config["train"])


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    """As MLflow has them: what was best so far under ``best/``."""
    names = {name: f"best/{name.removeprefix('best_')}" if name.startswith("best_") else name for name in LOGGED}
    return {names.get(n, n): float(result[n]) for n in (*LOGGED, "latency_ms") if n in result}


def failure_line(trial: Trial, run: StageRun) -> str:
    """What ended a trial, in a line. Of one that ended before a restore Tune's files say it."""
    error = run.errors.get(trial.trial_id)
    return error_line(*kept_failure(trial)) if error is None else error_line(error)
