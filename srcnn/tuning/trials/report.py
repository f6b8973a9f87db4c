"""Report of a trial after each epoch: created by the worker, read by scheduler, sampler and tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from srcnn.tuning.trials.objective import FAILED, METRIC
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["EpochFigures", "TrialReport"]

_NAN = float("nan")


@dataclass(frozen=True)
class EpochFigures:
    """Figures of one epoch; NaN if not measured, as in recorded curves."""

    objective: float  #: gain over bicubic divided by the paper's gain (`srcnn.tuning.trials.objective`)
    best_objective: float = _NAN  #: highest objective so far
    best_epoch: int = 0  #: epoch with the highest validation PSNR so far
    best_val_psnr: float = _NAN  #: highest mean PSNR on the validation images so far, in dB
    best_val_gain: float = _NAN  #: highest gain over bicubic on the validation images so far, in dB
    val_psnr: float = _NAN  #: mean PSNR on the validation images, in dB
    val_gain: float = _NAN  #: gain over bicubic on the validation images, in dB
    loss: float = _NAN  #: mean squared error in the epoch, for planes with values in [0, 1]
    learning_rate: float = _NAN  #: learning rate of the last step
    pixels: float = _NAN  #: number of target pixels so far
    train_seconds: float = _NAN  #: training time so far without validation, in seconds
    epoch_seconds: float = _NAN  #: wall time of the epoch with validation and saving, in seconds
    cpu_seconds: float = _NAN  #: processor time of the same, in seconds, of a trial with one thread on a CPU

    def to_json(self) -> dict[str, float]:
        """Return JSON-serializable data by field, for `from_json`; figures that were not measured are absent."""
        return {METRIC: self.objective, **self.known}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EpochFigures:
        """Return the figures in a mapping, ignoring other keys.

        Raises:
            KeyError: the objective is missing.
        """
        return cls(data[METRIC], **{name: data[name] for name in _OPTIONAL if name in data})

    @property
    def cost_seconds(self) -> float:
        """Time that the epoch costs, in seconds; 0 if unknown.

        That is the processor time if known, which other programs on the machine, or a machine that stands still, do not change;
        else the wall time.
        """
        known = (seconds for seconds in (self.cpu_seconds, self.epoch_seconds) if not math.isnan(seconds))
        return next(known, 0.0)

    @property
    def known(self) -> dict[str, float]:
        """Figures that were measured, by field."""
        return {name: value for name, value in vars(self).items() if not math.isnan(value)}


_OPTIONAL = tuple(field.name for field in fields(EpochFigures) if field.name != METRIC)


@dataclass(frozen=True)
class TrialReport:
    """Report of one epoch of a trial, or of the failure of its training."""

    epoch: int  #: number of the epoch, from 1; for a failed trial, the epoch that it did not finish
    epochs: int  #: number of epochs of a full trial
    curve: tuple[float, ...]  #: objective after each finished epoch
    figures: EpochFigures | None  #: figures of this epoch; None: the trial failed
    failure: str = ""  #: class name and message of the error, in one line
    failure_kind: str = ""  #: class name of the error
    macs: float | None = None  #: number of multiply-accumulate operations per pixel of the large image
    parameters: int | None = None  #: number of weights and biases
    latency_ms: float | None = None  #: latency for an image of 512x512 pixels on the trial's device, in ms
    device: str = ""  #: device of the trial, such as ``cpu`` or ``cuda 3``
    node: str = ""  #: Ray's id of the machine
    seconds: float | None = None  #: wall time of the trial so far in seconds, from Ray Tune
    #: Worst lead of the network over bicubic on the drawn patterns, in dB; None: not measured, as before the last epoch.
    pattern_lead: float | None = None

    @property
    def objective(self) -> float:
        """Metric that schedulers compare; `FAILED` if the trial failed."""
        return FAILED if self.figures is None else self.figures.objective

    @property
    def failed(self) -> bool:
        """Whether the training failed."""
        return self.objective <= FAILED

    @property
    def last(self) -> bool:
        """Whether this is the last epoch of a full trial."""
        return self.epoch >= self.epochs

    @property
    def outcome(self) -> Outcome:
        """Outcome of a trial with this last report."""
        if self.failed:
            return Outcome.FAILED
        return Outcome.FINISHED if self.last else Outcome.STOPPED

    @property
    def values(self) -> dict[str, float]:
        """Measured values of objectives, by their names in `OBJECTIVES`."""
        best = None if self.figures is None else self.figures.best_objective
        found = {"gain": best, "macs": self.macs, "parameters": self.parameters, "latency": self.latency_ms}
        return {name: float(value) for name, value in found.items() if value is not None and not math.isnan(value)}

    def to_json(self) -> dict[str, Any]:
        """Return flat JSON-serializable data for Ray Tune, whose schedulers read the keys METRIC and ``epoch``."""
        own = {name: value for name in _OWN if (value := getattr(self, name)) not in (None, "")}
        if self.seconds is not None:
            own[_SECONDS] = self.seconds
        figures = {METRIC: FAILED} if self.figures is None else self.figures.to_json()
        return {**figures, **own, "epoch": self.epoch, "epochs": self.epochs, "curve": list(self.curve)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialReport:
        """Return the report in a mapping, ignoring keys that Ray Tune has added.

        Raises:
            KeyError: a field is missing.
        """
        figures = EpochFigures.from_json(data) if data[METRIC] > FAILED else None
        own = {name: data[name] for name in _OWN if name in data}
        return cls(data["epoch"], data["epochs"], tuple(data["curve"]), figures, seconds=data.get(_SECONDS), **own)

    @classmethod
    def last_of(cls, result: Mapping[str, Any] | None) -> TrialReport | None:
        """Return the report in a trial's ``last_result``; None: there is no report."""
        return cls.from_json(result) if result and METRIC in result else None


_OWN = ("failure", "failure_kind", "macs", "parameters", "latency_ms", "device", "node", "pattern_lead")
_SECONDS = "time_total_s"  # key that Ray Tune adds
