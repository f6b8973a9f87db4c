"""`TrialReport`, the report of a trial after every epoch: made by the worker, read by scheduler, sampler and tracker."""

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
    """The figures of one epoch; NaN where one was not measured, as in recorded curves. PSNRs and gains are in dB."""

    objective: float  #: gain over bicubic as a share of the paper's (`srcnn.tuning.trials.objective`)
    best_objective: float = _NAN  #: highest objective so far
    best_epoch: int = 0  #: epoch of the highest validation PSNR so far
    best_val_psnr: float = _NAN  #: highest mean PSNR on the validation images so far
    best_val_gain: float = _NAN  #: the same, minus that of bicubic
    val_psnr: float = _NAN  #: mean PSNR on the validation images
    val_gain: float = _NAN  #: the same, minus that of bicubic
    loss: float = _NAN  #: mean squared error of the epoch, on planes in [0, 1]
    learning_rate: float = _NAN  #: learning rate of the last step
    pixels: float = _NAN  #: target pixels so far
    train_seconds: float = _NAN  #: training so far, without validation
    epoch_seconds: float = _NAN  #: wall time of the epoch, with validation and checkpoint

    def to_json(self) -> dict[str, float]:
        """Return JSON-able data by field, which `from_json` reads."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EpochFigures:
        """Return the figures in a mapping, whatever else it holds.

        Raises:
            KeyError: there is no objective.
        """
        return cls(data[METRIC], **{name: data[name] for name in _OPTIONAL if name in data})

    @property
    def known(self) -> dict[str, float]:
        """The figures that were measured, by field."""
        return {name: value for name, value in vars(self).items() if not math.isnan(value)}


_OPTIONAL = tuple(field.name for field in fields(EpochFigures) if field.name != METRIC)


@dataclass(frozen=True)
class TrialReport:
    """One epoch of a trial, as it is sent; or, with a ``failure``, its end by the configuration's own fault."""

    epoch: int  #: from 1; of a failed trial the epoch that it did not finish
    epochs: int  #: number of epochs of the whole run
    curve: tuple[float, ...]  #: the objective of every finished epoch
    figures: EpochFigures | None  #: figures of this epoch; None: the trial failed
    failure: str = ""  #: the error's name and message, in a line
    failure_kind: str = ""  #: name of the error's class
    macs: float | None = None  #: multiply-accumulates per pixel of the large image
    parameters: int | None = None  #: weights and biases
    latency_ms: float | None = None  #: milliseconds for an image of 512x512 pixels on the trial's device
    device: str = ""  #: device of the trial, such as ``cpu`` or ``cuda 3``
    node: str = ""  #: Ray's id of the machine
    seconds: float | None = None  #: wall time of the trial so far, counted by Ray Tune

    @property
    def objective(self) -> float:
        """The metric that schedulers compare; `FAILED` if the trial failed."""
        return FAILED if self.figures is None else self.figures.objective

    @property
    def failed(self) -> bool:
        """Whether the trial ended by its configuration's own fault."""
        return self.objective <= FAILED

    @property
    def last(self) -> bool:
        """Whether this is the last epoch of the whole run."""
        return self.epoch >= self.epochs

    @property
    def outcome(self) -> Outcome:
        """How a trial ended whose last report this is."""
        if self.failed:
            return Outcome.FAILED
        return Outcome.FINISHED if self.last else Outcome.STOPPED

    @property
    def values(self) -> dict[str, float]:
        """By the names of `OBJECTIVES`: the figures that a search can optimise, those that were measured."""
        best = None if self.figures is None else self.figures.best_objective
        found = {"gain": best, "macs": self.macs, "parameters": self.parameters, "latency": self.latency_ms}
        return {name: float(value) for name, value in found.items() if value is not None and not math.isnan(value)}

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data without levels, as Ray Tune takes a report: schedulers look for METRIC and ``epoch`` in it."""
        own = {name: value for name in _OWN if (value := getattr(self, name)) not in (None, "")}
        if self.seconds is not None:
            own[_SECONDS] = self.seconds
        figures = {METRIC: FAILED} if self.figures is None else self.figures.to_json()
        return {**figures, **own, "epoch": self.epoch, "epochs": self.epochs, "curve": list(self.curve)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialReport:
        """Return the report in a mapping, whatever Ray Tune has added to it.

        Raises:
            KeyError: a field is missing.
        """
        figures = EpochFigures.from_json(data) if data[METRIC] > FAILED else None
        own = {name: data[name] for name in _OWN if name in data}
        return cls(data["epoch"], data["epochs"], tuple(data["curve"]), figures, seconds=data.get(_SECONDS), **own)

    @classmethod
    def last_of(cls, result: Mapping[str, Any] | None) -> TrialReport | None:
        """Return the report in a trial's ``last_result``; None: it has reported nothing."""
        return cls.from_json(result) if result and METRIC in result else None


_OWN = ("failure", "failure_kind", "macs", "parameters", "latency_ms", "device", "node")
_SECONDS = "time_total_s"  # Ray Tune's name
