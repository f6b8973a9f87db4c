"""A bar for each parameter, the most important on top."""

from __future__ import annotations

from srcnn.tuning.report.data.importance import Importance
from srcnn.tuning.report.figures.bars import bars_figure

from report_parts import PNG


def test_bars_stand_in_the_order_of_their_shares() -> None:
    figure = bars_figure(
        Importance({"learning_rate": 0.7, "n1_$x": 0.3}, "fANOVA", 20, intervals={"n1_$x": (0.1, 0.5)}),
        "importance",
        "How much",
    )
    assert figure.png.startswith(PNG)
    assert figure.alt == "Importance of parameters by fANOVA: learning_rate 0.70, n1_$x 0.30."
