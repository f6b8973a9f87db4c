"""Result of a trial, used by confirmation, tables and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.evaluation.pattern_limit import is_too_far_behind
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["TrialResult"]


@dataclass(frozen=True)
class TrialResult:
    """Result of one trial. PSNRs and gains are in dB, and NaN if the trial sent no report."""

    trial_id: str
    spec: TrialSpec  #: specification of the trial
    outcome: Outcome
    report: TrialReport | None = None  #: last report; None: the trial has sent none
    failure: str = ""  #: error message in one line, if the trial failed
    checkpoint: Path | None = None  #: file with the network of the best epoch; None: there is no network
    test: Mapping[str, tuple[float, float]] = field(default_factory=dict)  #: mean PSNR in dB and SSIM, by test set

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.spec.name

    @property
    def config(self) -> TrainConfig:
        """Configuration of the training."""
        return self.spec.config

    @property
    def params(self) -> Mapping[str, Value]:
        """Values of the parameters that the search varies."""
        return self.spec.params

    @property
    def reference(self) -> bool:
        """Whether this is the paper's network with the same budget."""
        return self.spec.reference

    @property
    def _figures(self) -> EpochFigures:
        figures = None if self.report is None else self.report.figures
        return EpochFigures(float("nan")) if figures is None else figures

    @property
    def objective(self) -> float:
        """Highest gain over bicubic on the validation images, divided by the paper's gain."""
        return self._figures.best_objective

    @property
    def val_psnr(self) -> float:
        """Highest mean PSNR on the validation images, in dB."""
        return self._figures.best_val_psnr

    @property
    def val_gain(self) -> float:
        """Highest gain over bicubic on the validation images, in dB."""
        return self._figures.best_val_gain

    @property
    def pattern_lead(self) -> float | None:
        """Worst lead of the network over bicubic on the drawn patterns, in dB; None: not measured, as in earlier searches."""
        return None if self.report is None else self.report.pattern_lead

    @property
    def has_artefacts(self) -> bool:
        """Whether the network is further behind bicubic on a drawn pattern than the limit; not if it was not measured."""
        return is_too_far_behind(self.pattern_lead)

    @property
    def values(self) -> Mapping[str, float]:
        """Measured values of objectives, by their names in `OBJECTIVES`."""
        return {} if self.report is None else self.report.values

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
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
        """Return a result from the data of `to_json`.

        Raises:
            ConfigError: the configuration has an unknown field or an invalid value.
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
