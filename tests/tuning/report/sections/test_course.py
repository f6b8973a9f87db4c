"""What a search did and believed, from trials whose times and decisions are known."""

from __future__ import annotations

from srcnn.tuning.report.data.search_data import SearchData
from srcnn.tuning.report.document.document import Figure, Text
from srcnn.tuning.report.sections.course import believed, course
from srcnn.tuning.trials.decision import Decision

from report_parts import child, search_data, timed

GUESS = Decision("start", 0, "model", predicted=0.6, spread=0.1)


def data(**fields: object) -> SearchData:
    runs = [timed(child(str(i), [0.5, 1.0]), 10 * i, [10 * i + 5, 10 * i + 10], 10 * i + 10, GUESS) for i in range(6)]
    return search_data(runs, started=0.0, **fields)


def test_the_course_has_a_timeline_and_two_figures_a_scale() -> None:
    figures = course(data())
    assert [part.name for part in figures if isinstance(part, Figure)] == ["timeline", "best-x3", "compute-x3"]
    captions = [part.caption for part in figures if isinstance(part, Figure)]
    assert "When each of the 6 trainings ran." in captions[0]
    assert "from all 6 configurations as recorded" in captions[2] and "flatters random search" in captions[2]
    assert course(search_data([child("a", [1.0])])) == ()  # no time was kept


def test_predictions_and_times_are_compared_with_what_came() -> None:
    text, figure = believed(data(metrics={"expected_seconds": 30.0, "took_seconds": 60.0}))
    assert isinstance(text, Text) and isinstance(figure, Figure)
    assert "- Time: 30 s was expected before the start, and it took 1 min 0 s, 2.00 times as long." in text.markdown
    assert "6 predictions of how 6 finished trials would end were 0.200 dB too high on average" in text.markdown
    assert "- Spread: 100 % of the ends lie in the range" in text.markdown  # 0.2 dB off, with 0.2 dB of spread
    assert believed(search_data([child("a", [1.0])])) == ()
