"""Importances find the parameter that matters, at one scale, with an interval, and count what was stopped."""

from __future__ import annotations

import pytest

from srcnn.tuning.report.data.importance import FEWEST, importances
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child
from report_store import Store


def test_importances_find_what_matters(whole: Store) -> None:
    data = gather(whole.uri, find_parent(whole.uri))
    found = importances(data.space, data.of_stage("search", 3))
    assert found.method == "fANOVA" and found.count == 12 and found.estimated == 1  # the failed trial says nothing
    assert sum(found.shares.values()) == pytest.approx(1)
    for name, share in found.shares.items():
        low, high = found.intervals[name]
        assert 0 <= low <= share <= high <= 1


def test_what_was_stopped_is_not_left_out(whole: Store) -> None:
    """Bad rates never finish. Without the stopped trials, the rate would not seem to matter."""
    space = gather(whole.uri, find_parent(whole.uri)).space
    good = [
        child(f"g{i}", [0.5, 0.8, 1.0 + 0.01 * i], kernels=("5-1-3", "5-3-3")[i % 2], learning_rate=9e-4 - 1e-5 * i)
        for i in range(6)
    ]
    bad = [
        child(
            f"b{i}", [-1.0 - i / 10], Outcome.STOPPED, kernels=("5-1-3", "5-3-3")[i % 2], learning_rate=1e-4 + 1e-5 * i
        )
        for i in range(6)
    ]
    found = importances(space, [*good, *bad])
    assert next(iter(found.shares)) == "learning_rate" and found.shares["learning_rate"] > 0.8
    assert (found.count, found.estimated) == (12, 6)


def test_reasons_for_no_importances(whole: Store) -> None:
    space = gather(whole.uri, find_parent(whole.uri)).space
    assert "kept no space" in importances(None, []).reason
    few = [child("a", [1.0], n1=8)]
    assert importances(space, few).reason == f"Importances need {FEWEST} trials with a gain, but 1 trial reported one."
    same = [child(str(i), [1.0], n1=8) for i in range(FEWEST)]
    assert importances(space, same).reason == f"The {FEWEST} trials are of one configuration: nothing to explain."
