"""The limit on drawn patterns: what breaks it, and how that is said."""

from __future__ import annotations

import math

import pytest

from srcnn.evaluation.pattern_limit import LIMIT, NOT_MEASURABLE, behind_words, is_too_far_behind


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (None, False),
        (3.0, False),
        (-0.3, False),
        (-1.0, False),
        (-1.01, True),
        (NOT_MEASURABLE, True),
        (math.nan, True),
    ],
)
def test_only_a_measured_lead_breaks_the_limit(lead: float | None, expected: bool) -> None:
    assert is_too_far_behind(lead) is expected


def test_words() -> None:
    assert LIMIT == "more than 1 dB behind bicubic on a drawn pattern"
    assert [behind_words(lead) for lead in (-2.63, NOT_MEASURABLE, math.nan)] == ["2.6 dB", *["output not finite"] * 2]
