"""`TrialResult`, the result of a trial, which confirmation, tables and report use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["TrialResult"]


@dataclass(frozen=True)
class TrialResult:
    """One trial after it ran. PSNRs and gains are in dB, NaN if the trial reported none."""

    trial_id: str
    spec: TrialSpec  #: specification of the trial
    outcome: Outcome
    report: TrialReport | None = None  #: its last report; None: it has sent none
    failure: str = ""  #: why it failed, in a line
    checkpoint: Path | None = None  #: the network of its best epoch; None: it has left none
    test: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: mean PSNR and SSIM by test set

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.spec.name

    @property
    def config(self) -> TrainConfig:
        """The whole run."""
        return self.spec.config

    @property
    def params(self) -> Mapping[str, Value]:
        """The values of the parameters that the search varied."""
        return self.spec.params

    @property
    def reference(self) -> bool:
        """Whether it is the paper's network with the same budget."""
        return self.spec.reference

    @property
    def _figures(self) -> EpochFigures:
        figures = None if self.report is None else self.report.figures
        return EpochFigures(float("nan")) if figures is None else figures

    @property
    def objective(self) -> float:
        """Highest gain over bicubic on the validation images as a share of the paper's."""
        return self._figures.best_objective

    @property
    def val_psnr(self) -> float:
        """Highest mean PSNR on the validation images."""
        return self._figures.best_val_psnr

    @property
    def val_gain(self) -> float:
        """Highest gain over bicubic on the validation images."""
        return self._figures.best_val_gain

    @property
    def values(self) -> Mapping[str, float]:
        """By the names of `OBJECTIVES`: the figures that a search can optimise, those that were measured."""
        return {} if self.report is None else self.report.values

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {
            "trial_id": self.trial_id,
            "spec": self.spec.to_json(),
            "outcome": self.outcome.value,
            "report": None if self.report is None else self.report.to_json(),
            "failure": self.failure,
            "checkpoint": None if self.checkpoint is None else str(self.checkpoint),
            "test": {name: list(figures) for name, figures in self.test.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialResult:
        """Return the result that `to_json` wrote.

        Raises:
            ConfigError: the configuration has a field that this version does not know, or breaks a rule.
            KeyError: a field is missing.
        """
        return cls(
            data["trial_id"],
            TrialSpec.from_json(data["spec"]),
            Outcome(data["outcome"]),
            None if data["report"] is None else TrialReport.from_json(data["report"]),
            data["failure"],
            None if data["checkpoint"] is None else Path(data["checkpoint"]),
            {name: (psnr, ssim) for name, (psnr, ssim) in data["test"].items()},
        )
