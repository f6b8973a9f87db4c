"""A stage's view of the time budget, and the objects that look at it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.algorithms.early_stopping import PerScale
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.algorithms.stage_time import StageTime, TimeAware
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.algorithms.time_budget import Costs, Deadline, Size
from srcnn.tuning.space.space_file import load_space

ROOT = Path(__file__).parents[3]
SIZES = [Size(1, 2, {3: 4})]


def deadline(seconds: float) -> Deadline:
    return Deadline(seconds, Costs(), SIZES, clock=lambda: 1e6)


def test_without_a_deadline_there_is_no_budget() -> None:
    time = StageTime()
    assert not time.is_up
    time.keep()
    time.note_network()
    time.note_full_trial(3, 1.0)
    time.note_report(3, 1.0, 1, 9)


def test_the_deadline_ends_a_search_and_hears_of_its_trials() -> None:
    assert StageTime(deadline(0.0)).is_up
    long = deadline(600.0)
    time = StageTime(long)
    time.note_report(3, 1.0, 1, 9)
    assert long.full(3) == 9
    time.note_full_trial(3, 5.0)
    assert long.full(3) == 5
    assert not time.is_up


def test_a_confirmation_is_counted_but_not_ended() -> None:
    short = deadline(0.0)
    time = StageTime(short, ends=False)
    assert not time.is_up
    time.note_full_trial(3, 400.0)  # of another length than the search's
    time.note_report(3, 400.0, 1, 9)
    assert short.full(3) == 0


def searcher() -> StudySearcher:
    return StudySearcher(load_space(ROOT / "search_spaces" / "default.yaml"), 0, {"pixels": 1e6}, sampler="random")


@pytest.mark.parametrize("one", [PerScale("asha", (2, 3), 9), searcher()], ids=["scheduler", "searcher"])
def test_a_pickle_holds_no_clock_and_its_copy_takes_another(one: Any) -> None:
    assert isinstance(one, TimeAware)
    one.use_time(StageTime(deadline(0.0)))
    content = pickle.dumps(one)  # a lambda, as the clock is, would not be pickled
    copy = pickle.loads(content)
    assert copy._time == StageTime()
    copy.use_time(StageTime(deadline(0.0)))
    assert copy._time.is_up


def test_a_restored_searcher_keeps_the_time_that_it_was_given(tmp_path: Path) -> None:
    first, second = searcher(), searcher()
    first.suggest("one")
    first.use_time(StageTime(deadline(600.0)))
    first.save(str(tmp_path / "state.pkl"))
    up = StageTime(deadline(0.0))
    second.use_time(up)
    second.restore(str(tmp_path / "state.pkl"))
    assert second._time is up
    assert second.suggest("two") == "FINISHED"  # the first trial was given out before


def test_a_list_does_not_look_at_the_time() -> None:
    assert not isinstance(Listed([]), TimeAware)
