"""What belongs to the driver's process: listeners, and the state of one run of a stage."""

from __future__ import annotations

from srcnn.config.training import TrainConfig
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
