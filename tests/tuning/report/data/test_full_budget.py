"""Stopped trials get what others gained from their rung to the end."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.full_budget import at_full_budget
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child


def test_a_stopped_trial_counts_at_its_rung() -> None:
    runs = [
        child("a", [0.5, 0.8, 1.0]),
        child("b", [0.4, 0.9, 0.8]),  # its best is that of the second epoch
        child("stopped", [0.2], Outcome.STOPPED),
        child("later", [0.1, 0.3], Outcome.STOPPED),
        child("failed", [0.5], Outcome.FAILED),
        child("nothing", [], Outcome.INTERRUPTED),
    ]
    found = {one.child.trial_id: one for one in at_full_budget(runs)}
    assert set(found) == {"a", "b", "stopped", "later"}
    assert (found["a"].gain, found["b"].gain, found["a"].measured) == (1.0, 0.9, True)
    # From the first epoch to the second: 0.3, 0.5 and 0.2, median 0.3; to the third: 0.2 and 0.0, median 0.1.
    assert found["stopped"].gain == pytest.approx(0.2 + 0.3 + 0.1) and not found["stopped"].measured
    assert found["later"].gain == pytest.approx(0.3 + 0.1)


def test_no_trial_is_no_gain() -> None:
    assert at_full_budget([]) == []
