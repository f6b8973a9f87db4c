"""Curves by how their trials ended; outliers are counted, not drawn."""

from __future__ import annotations

from srcnn.tuning.report.figures.curves import curves_figure
from srcnn.tuning.trials.outcome import Outcome

from report_parts import PNG, child


def test_every_curve_is_in_one_group() -> None:
    runs = [
        child("paper", [0.5, 1.0], reference=True),
        child("a", [0.4, 0.9]),
        child("b", [0.6, 1.2]),
        child("c", [0.3], Outcome.STOPPED),
        child("d", [0.2], Outcome.INTERRUPTED),
        child("dead", [], Outcome.FAILED),
    ]
    figure = curves_figure(runs, "curves", "Gain.")
    assert figure is not None and figure.png.startswith(PNG)
    assert figure.alt.endswith(
        "1 stopped early, 1 failed or not ended, 1 finished, 1 the paper's network, 1 best finished."
    )


def test_points_far_below_are_counted_in_the_caption() -> None:
    figure = curves_figure([child(str(i), [-9.0 if i == 0 else 1.0, 1.1, 1.2]) for i in range(5)], "curves", "Gain.")
    assert figure is not None and figure.caption == "Gain. 1 of 15 points lie below the picture."


def test_nothing_reported_is_no_figure() -> None:
    assert curves_figure([child("dead", [], Outcome.FAILED)], "curves", "") is None
