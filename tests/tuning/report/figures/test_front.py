"""The front of each scale, and how many trials are on it."""

from __future__ import annotations

from srcnn.config.training import TrainConfig
from srcnn.tuning.report.figures.front import front_figure
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec

from report_parts import PNG


def result(name: str, gain: float, macs: float, scale: int = 3) -> TrialResult:
    report = TrialReport(9, 9, (gain,), EpochFigures(gain, best_objective=gain, best_val_gain=gain), macs=macs)
    return TrialResult(name, TrialSpec(TrainConfig(scale=scale), label=name), Outcome.FINISHED, report)


def test_the_front_is_that_of_each_scale() -> None:
    rows = [result("small", 0.5, 1e3), result("beaten", 0.4, 2e3), result("large", 0.9, 1e5), result("x2", 0.1, 9e4, 2)]
    figure = front_figure(rows, ("gain", "macs"), "macs", "front", "")
    assert figure is not None and figure.png.startswith(PNG)
    assert figure.alt.endswith("trials on the front: 1 of 1 at x2, 2 of 3 at x3.")


def test_without_a_trial_that_has_all_figures_there_is_none() -> None:
    assert front_figure([result("a", 0.5, float("nan"))], ("gain", "macs"), "macs", "front", "") is None
