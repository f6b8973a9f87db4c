"""Counts, times and amounts as sentences say them."""

from __future__ import annotations

import math

import pytest

from srcnn.tuning.report.sections.wording import (
    counts,
    duration,
    pixels,
    sampler_in_words,
    scales_in_words,
    scheduler_in_words,
    than_paper,
)
from srcnn.tuning.trials.intervals import Interval
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


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.15, 0.07, 0.27), "**surely better** than the paper's network by 0.15 dB (95 %: 0.07 to 0.27)"),
        (Interval(-0.2, -0.3, -0.1), "**surely worse** than the paper's network by 0.20 dB (95 %: 0.10 to 0.30)"),
        (
            Interval(0.02, -0.05, 0.09),
            "**not surely better** than the paper's network: +0.02 dB (95 %: -0.05 to +0.09, which contains 0)",
        ),
        (
            Interval(0.02, -math.inf, math.inf),
            "**not surely better** than the paper's network: +0.02 dB, of one figure, which gives no interval",
        ),
    ],
)
def test_how_sure_a_difference_is(interval: Interval, text: str) -> None:
    assert than_paper(interval) == text


def test_schedulers_have_names_for_people() -> None:
    assert scheduler_in_words("asha").startswith("ASHA")
    assert scheduler_in_words("None").startswith("ASHA")  # the default of an earlier version
    assert scheduler_in_words("None", objectives=2) == scheduler_in_words("none") == "no early stopping"
    assert scheduler_in_words("mine") == "mine" and scheduler_in_words("") == "an unknown scheduler"
    assert sampler_in_words("tpe") == "TPE" and sampler_in_words("") == "unknown"


def test_scales() -> None:
    assert [scales_in_words(scales) for scales in ((3,), (2, 3), (2, 3, 4))] == ["by 3", "by 2 and 3", "by 2, 3 and 4"]
