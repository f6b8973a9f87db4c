"""Predictions are drawn with their ranges."""

from __future__ import annotations

from srcnn.tuning.report.data.beliefs import Belief
from srcnn.tuning.report.figures.beliefs import beliefs_figure

from report_parts import PNG, child


def test_predictions_of_every_kind() -> None:
    one = child("a", [1.0])
    figure = beliefs_figure([Belief(one, 0, 1.1, 0.1, 1.0), Belief(one, 3, 0.9, None, 1.0)], "beliefs", "")
    assert figure.png.startswith(PNG) and figure.alt.startswith("2 predictions of the gain")
