"""Counts, times and amounts as sentences say them."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.sections.wording import counts, duration, pixels
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min")],
)
def test_times(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "an unknown number of training pixels"),
        (32e6, "32 million training pixels"),
        (99_999, "99999 training pixels"),
    ],
)
def test_pixels(count: float | None, text: str) -> None:
    assert pixels(count) == text


def test_outcomes_are_counted_in_the_order_of_tables() -> None:
    runs = [child("a", [1.0], Outcome.FAILED), child("b", [1.0]), child("c", [1.0], Outcome.STOPPED), child("d", [1.0])]
    assert counts(runs) == "2 finished, 1 stopped, 1 failed"
    assert counts([]) == ""
