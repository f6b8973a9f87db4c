"""What the driver does at every event of a search: write it to MLflow, and tell whoever listens.

Tune pickles its callbacks with the experiment, so a listener (a progress bar, say) cannot be part of one: it subscribes
here, in the process that runs the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from srcnn.config import TrainConfig
from srcnn.tuning.objective import FAILED, METRIC
from srcnn.tuning.tracking import Tracker, flat_params
from srcnn.tuning.trainable import NETWORK_FILE

__all__ = ["Event", "SearchCallback", "error_line", "listening", "outcome", "trial_name"]

_LOGGED = (
    "loss",
    "learning_rate",
    "val_psnr",
    "val_gain",
    "pixels",
    "train_seconds",
    "epoch_seconds",
    "latency_ms",
    METRIC,
)


@dataclass(frozen=True)
class Event:
    """Something that happened to a trial."""

    kind: str  #: ``start``, ``report`` or ``end``
    trial_id: str
    name: str
    config: TrainConfig
    result: dict[str, Any]  #: its last report; empty at the start
    outcome: str  #: ``running``, ``finished``, ``stopped`` or ``failed``
    stage: str  #: ``search``, ``confirm`` or ``table``
    trials: int  #: that the stage will have at most


Listener = Callable[[Event], None]
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Call ``listener`` with every event while the block runs; None listens to nothing."""
    mine = [] if listener is None else [listener]
    _listeners.extend(mine)
    try:
        yield
    finally:
        for one in mine:
            _listeners.remove(one)


def outcome(result: dict[str, Any] | None) -> str:
    """How a trial ended, by its last report: ``finished``, ``stopped`` early or ``failed``."""
    if not result or result.get(METRIC, FAILED) <= FAILED:
        return "failed"
    return "finished" if result["epoch"] >= result["epochs"] else "stopped"


def trial_name(config: TrainConfig) -> str:
    """How a trial is called in tables: ``x3 9-1-5 (64-32) lr 2.0e-03``."""
    return f"x{config.scale} {config.name} lr {config.learning_rate:.1e}"


class SearchCallback(tune.Callback):  # type: ignore[misc]
    """Writes a search to its tracker.

    Args:
        tracker: with its search open.
        tags: of every trial's run.
        datasets: name, digest and number of the training images, by a trial's key ``data``, else by its scale.
        stage: ``search``, ``confirm`` or ``table``.
        trials: of the stage.
    """

    def __init__(
        self,
        tracker: Tracker,
        tags: Mapping[str, str],
        datasets: Mapping[int | str, Mapping[str, str]],
        stage: str,
        trials: int,
    ) -> None:
        self._tracker, self._tags, self._datasets = tracker, {**tags, "stage": stage}, datasets
        self._stage, self._trials = stage, trials
        self._ended: set[str] = set()

    def setup(self, stop: Any = None, num_samples: Any = None, total_num_samples: Any = None, **info: Any) -> None:
        """A resumed search learns from the store what is written, since its own snapshot may lag behind."""
        self._tracker.refresh()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A trial begins, or goes on."""
        config = _config(trial)
        params = dict(trial.config["params"])
        whole = {k: v for k, v in config if k not in params}
        tags = {**self._tags, "reference": str(trial.config["baseline"]), **trial.config.get("tags", {})}
        self._tracker.start_trial(
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
            metrics = {name: float(result[name]) for name in _LOGGED if name in result}
            best = {
                f"best/{name}": float(result[f"best_{name}"]) for name in ("val_psnr", "val_gain", "objective", "epoch")
            }
            self._tracker.log_epoch(trial.trial_id, int(result["epoch"]), {**metrics, **best})
        self._tell("report", trial, result, "running")

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial that ran to its end, was stopped early, or failed on its own account."""
        result = trial.last_result or {}
        end = outcome(result)
        if trial.checkpoint is not None:
            file = Path(trial.checkpoint.path) / NETWORK_FILE
            if file.is_file():
                self._tracker.log_file(trial.trial_id, file, "checkpoint")
        tags = {"outcome": end, "trial.device": str(result.get("device", ""))}
        if "failure" in result:
            tags["failure"] = str(result["failure"])
        self._tracker.end_trial(trial.trial_id, "FAILED" if end == "failed" else "FINISHED", tags)
        self._end(trial, result, end)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """The end of a trial by an accident, after Tune's retries."""
        failure = error_line(trial)
        self._tracker.end_trial(trial.trial_id, "FAILED", {"outcome": "failed", "failure": failure})
        self._end(trial, {**(trial.last_result or {}), "failure": failure}, "failed")

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
        event = Event(kind, trial.trial_id, self._name(trial), config, dict(result), end, self._stage, self._trials)
        for listener in list(_listeners):
            listener(event)


def _config(trial: Trial) -> TrainConfig:
    return TrainConfig.from_json(trial.config["train"])


def error_line(trial: Trial) -> str:
    """The last line of a failed trial's error, which names it."""
    lines = str(trial.get_error() or "an unknown error").strip().splitlines()
    return lines[-1][:500]
