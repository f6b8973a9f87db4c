"""Pictures are the same again, and axes have marks."""

from __future__ import annotations

from srcnn.tuning.report.figures.style import log_ticks, new_figure, shades, to_png


def test_pictures_are_the_same_again() -> None:
    def draw() -> bytes:
        figure = new_figure(2.0)
        figure.add_subplot().plot([1, 2], [3, 4])
        return to_png(figure)

    assert draw() == draw()
    assert len(set(shades([1.0, 2.0, 3.0]))) == 3 and shades([1.0]) == [shades([1.0, 2.0])[0]]


def test_marks_of_logarithmic_axes() -> None:
    assert log_ticks(300, 6000) == {500: "500", 1000: "1k", 2000: "2k", 5000: "5k"}
    assert list(log_ticks(1, 1e9).values()) == ["1", "10", "100", "1k", "10k", "100k", "1M", "10M", "100M", "1G"]
    assert log_ticks(0.6, 0.7) == {0.6: "0.6"}
