"""The words of an outcome are those of the tables and tags."""

from __future__ import annotations

from srcnn.tuning.trials.outcome import Outcome


def test_the_values_are_the_words_that_people_read() -> None:
    assert list(Outcome) == ["finished", "stopped", "waiting", "failed", "interrupted"]
    assert f"{Outcome.STOPPED}" == "stopped"
    assert Outcome("failed") is Outcome.FAILED
