"""What belongs to the driver's process is handed over, and no pickle takes it along."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import SearchError
from srcnn.tuning.driver.callback import SearchCallback
from srcnn.tuning.driver.context import DriverContext, StageRun
from srcnn.tuning.driver.events import Event
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.spec import TrialSpec


def stage_run(*listeners: list[Event]) -> StageRun:
    tracker = Tracker("sqlite:///never-opened.db")
    return StageRun(DriverContext(tracker, listeners=tuple(one.append for one in listeners)), trials=1)


def test_every_listener_hears_of_an_event() -> None:
    first, second = list[Event](), list[Event]()
    event = Event("start", "t1", "a trial", TrialSpec(TrainConfig()), "search", 1)
    stage_run(first, second).tell(event)
    assert first == second == [event]


def test_two_runs_share_nothing() -> None:
    one, other = stage_run(), stage_run()
    one.expected.add("t1")
    one.pending_ends.append(Event("end", "t1", "a trial", TrialSpec(TrainConfig()), "search", 1))
    assert not other.expected
    assert not other.pending_ends


def test_a_callback_works_for_the_run_that_it_is_given(tmp_path: Path) -> None:
    callback = SearchCallback(tmp_path, {}, {}, "search")
    heard: list[Event] = []
    run = stage_run(heard)
    callback.attach(run)
    copy = pickle.loads(
        pickle.dumps(callback)
    )  # as Tune's restore makes one; a list's method could be pickled, a client not
    with pytest.raises(AssertionError, match=r"attach\(\) must be called first"):
        copy.on_step_begin(0, [])
    copy.attach(run)
    copy.on_step_begin(0, [])
    run.expected = {"t1"}
    with pytest.raises(SearchError, match="did not restore 1 trials"):
        copy.on_step_begin(0, [])
