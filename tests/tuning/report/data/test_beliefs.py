"""Predictions about finished trials, in dB, beside what came."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.beliefs import beliefs, calibration
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child, timed

# At x3, the paper gains 2 dB over bicubic.
START = Decision("start", 0, "model", predicted=0.55, spread=0.05)
LATER = Decision("resume", 2, "model", predicted=0.7, spread=0.05)
BLIND = Decision("pause", 2, "model")


def test_predictions_about_finished_trials_are_compared() -> None:
    finished = timed(child("a", [0.9, 1.0]), 0, [1, 2], 2, START, BLIND, LATER)
    stopped = timed(child("b", [0.9], Outcome.STOPPED), 0, [1], 1, START)
    found = beliefs([finished, stopped])
    assert [(one.epoch, one.came) for one in found] == [(0, 1.0), (2, 1.0)]
    assert [one.predicted for one in found] == pytest.approx([1.1, 1.4])
    assert [one.spread for one in found] == pytest.approx([0.1, 0.1])
    result = calibration(found)
    assert result is not None
    assert (result.count, result.trials, result.inside) == (2, 1, 0.5)
    assert result.bias == pytest.approx(0.25)
    assert result.error == pytest.approx(((0.1**2 + 0.4**2) / 2) ** 0.5)


def test_without_predictions_there_is_nothing_to_compare() -> None:
    assert calibration(beliefs([child("a", [1.0])])) is None
