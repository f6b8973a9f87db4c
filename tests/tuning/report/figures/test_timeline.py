"""The timeline says how many spans ended how."""

from __future__ import annotations

from srcnn.tuning.report.data.timeline import Span, timeline
from srcnn.tuning.report.figures.timeline import timeline_figure
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from report_parts import PNG, child, timed


def test_spans_of_every_kind_are_drawn_and_counted() -> None:
    runs = [
        timed(child("a", [1.0] * 4), 0, [10, 20, 60, 70], 70, Decision("pause", 2, "model")),
        timed(child("b", [1.0], Outcome.STOPPED), 20, [30], 30),
        timed(child("c", [], Outcome.FAILED), 31, [], 35),
        timed(child("paper", [1.0], reference=True), 0, [30], 30),
    ]
    figure = timeline_figure(timeline(runs, 0), "timeline", "When.")
    assert figure is not None and figure.png.startswith(PNG) and figure.caption == "When."
    assert figure.alt == (
        "Timeline of 4 trainings: spans that ended 2 finished, 1 paused, 1 stopped, 1 failed; 1 resumed."
    )


def test_more_workers_than_a_picture_holds_are_counted() -> None:
    spans = [Span(child(str(i), [1.0]), 0, 1, "finished", False, row=i) for i in range(70)]
    figure = timeline_figure(spans, "timeline", "When.")
    assert figure is not None and figure.caption == "When. 10 more rows are not shown."


def test_no_span_is_no_figure() -> None:
    assert timeline_figure([], "timeline", "") is None
