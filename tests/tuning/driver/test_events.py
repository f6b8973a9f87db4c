"""An event says what happened to a trial; it can go to another process, and nobody on the way can change it."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event, Listener
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

SPEC = TrialSpec(TrainConfig(), {"n1": 64}, reference=True, tags={"srcnn.cell": "c"})
FIGURES = EpochFigures(0.75, 0.75, 9, 33.0, 1.5, 33.0, 1.5, 1e-3, 5e-4, 8e6, 10.0, 1.2, 1.1)
REPORT = TrialReport(9, 9, (0.5, 0.75), FIGURES, macs=8032.0, device="cpu")
START = Event("start", "t1", SPEC.name, SPEC, "search", 50)
END = Event("end", "t1", SPEC.name, SPEC, "search", 50, REPORT, Outcome.FINISHED)


@pytest.mark.parametrize("event", [START, END], ids=lambda event: event.kind)
def test_an_event_comes_through_a_pickle_as_it_was(event: Event) -> None:
    """A search on a cluster sends its events through a queue."""
    copy = pickle.loads(pickle.dumps(event))
    assert copy == event
    assert copy.spec.config == event.spec.config
    assert copy.outcome is event.outcome


def test_a_trial_that_starts_has_neither_report_nor_outcome() -> None:
    assert (START.report, START.outcome, START.failure) == (None, None, "")


def test_a_listener_cannot_change_what_the_next_one_hears() -> None:
    heard: list[str] = []

    def careless(event: Event) -> None:
        event.failure = "mine"  # type: ignore[misc]

    listeners: list[Listener] = [careless, lambda event: heard.append(event.failure)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        listeners[0](END)
    listeners[1](END)
    assert heard == [""]
