"""Spans of trainings: pauses, kills and rows of workers from times that are known."""

from __future__ import annotations

from srcnn.tuning.report.data.timeline import Span, timeline
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child, timed

PAUSE = Decision("pause", 2, "model")


def facts(spans: list[Span]) -> list[tuple[str, int, float, float, str, bool]]:
    return [(s.child.trial_id, s.row, s.start, s.end, s.kind, s.resumed) for s in spans]


def test_a_pause_frees_the_worker_for_another_trial() -> None:
    paused = timed(child("a", [1.0] * 4), 100, [110, 120, 160, 170], 170, PAUSE)
    other = timed(child("b", [1.0] * 3), 120, [130, 140, 150], 150)
    assert facts(timeline([paused, other], 100)) == [
        ("a", 0, 0, 20, "paused", False),
        ("b", 0, 20, 50, "finished", False),
        ("a", 0, 50, 70, "finished", True),
    ]


def test_a_trial_that_waited_until_the_end_ran_until_its_last_report() -> None:
    waited = timed(child("a", [1.0] * 2, Outcome.STOPPED), 0, [10, 20], 500, PAUSE)
    assert facts(timeline([waited], 0)) == [("a", 0, 0, 20, "paused", False)]


def test_a_long_gap_without_a_decision_is_a_kill_of_the_search_or_its_worker() -> None:
    killed = timed(child("a", [1.0] * 4), 0, [10, 20, 30, 130], 130)
    assert facts(timeline([killed], 0)) == [("a", 0, 0, 30, "interrupted", False), ("a", 0, 120, 130, "finished", True)]


def test_trainings_at_the_same_time_have_rows_of_their_own() -> None:
    runs = [
        timed(child("a", [1.0] * 2, Outcome.FAILED), 0, [10, 20], 25),
        timed(child("b", [1.0] * 2, Outcome.INTERRUPTED), 1, [11, 21], None),
        timed(child("c", [], Outcome.STOPPED), 2, [], 3),
        child("without times", [1.0]),
    ]
    assert facts(timeline(runs, 0)) == [
        ("a", 0, 0, 25, "failed", False),
        ("b", 1, 1, 21, "running", False),
        ("c", 2, 2, 3, "stopped", False),
    ]
