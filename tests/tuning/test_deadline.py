"""The time budget of a search."""

from __future__ import annotations

import pytest

from srcnn.tuning.deadline import Deadline, note_full_trial, time_budget, time_is_up


def test_a_confirmation_that_does_not_fit_gives_up_seeds_but_keeps_two() -> None:
    deadline = Deadline(600, {3: 12}, slots=2)
    assert deadline.seeds(3) == 3  # nothing is known yet
    deadline.note(3, 80.0)
    deadline.note(3, 20.0)  # the longest counts
    assert deadline.reserve == pytest.approx(300)  # 12 x 80 / 2 would be 480, more than half
    assert deadline.seeds(3) == 3  # 480 of the 600 s that are left now
    deadline.note(3, 120.0)
    assert deadline.seeds(3) == 2  # 720 s
    deadline.note(3, 1e6)
    assert deadline.seeds(5) == 2


def test_the_block_s_deadline_is_the_one_that_holds() -> None:
    assert not time_is_up()
    with time_budget(Deadline(0.0, {}, 1)):
        assert time_is_up()
        with time_budget(Deadline(600, {2: 3}, 1)):
            note_full_trial(2, 5.0)
            assert not time_is_up()
    with time_budget(None):
        assert not time_is_up()
