"""Results of a search that never ran, with figures that are known, for the tests of what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from srcnn.config.training import TrainConfig
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.choice import Confirmed
from srcnn.tuning.whole_search.result import SearchResult

__all__ = ["BETTER", "NOISY", "PAPER", "confirmed", "result", "row"]


def row(name: str, gain: float, outcome: Outcome = Outcome.FINISHED, *, macs: float = 1e4) -> TrialResult:
    spec = TrialSpec(TrainConfig(epochs=1, scale=3), reference=name == "reference", label=name)
    report = TrialReport(4, 4, (gain,), EpochFigures(gain, gain, best_val_gain=gain), macs=macs)
    failure = "DeadNetworkError: dead" if outcome is Outcome.FAILED else ""
    return TrialResult(name, spec, outcome, report, failure, Path(f"{name}.safetensors"), {"test": (30 + gain, 0.9)})


def result(planned: Plan, *rows: TrialResult, interrupted: bool = False) -> SearchResult:
    bicubic = {("test", 3): (30.0, 0.8)}
    return SearchResult(planned.settings, rows, bicubic, interrupted, 12.4, "id", planned.settings.tracking_uri)


def confirmed(name: str, gains: Sequence[Sequence[float]]) -> Confirmed:
    """A configuration with gains of judging seeds, (seeds, images)."""
    figures = np.array(gains)
    rows = tuple(row(name, 1.0) for _ in gains)
    return Confirmed(rows, figures, rows, figures, {"test": 30 + figures}, {"test": 0.9})


BETTER, PAPER = [[1.30, 1.32], [1.31, 1.33], [1.32, 1.34]], [[1.20, 1.22], [1.21, 1.23], [1.22, 1.24]]
NOISY = [[1.10, 1.50], [1.40, 1.00], [1.05, 1.60]]
