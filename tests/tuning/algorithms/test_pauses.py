"""The state of a search whose trials pause: room, limits, and the decisions that are kept."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from srcnn.tuning.algorithms.allocator import Allocator, KnownTrial, Option
from srcnn.tuning.algorithms.pauses import Pauses
from srcnn.tuning.algorithms.reasons import Reasons
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.report import EpochFigures, TrialReport

from space_text import GOOD, write


@pytest.fixture
def pauses(tmp_path: Path) -> Pauses:
    found = Pauses(Allocator(load_space(write(tmp_path, GOOD)), 0, 9), Reasons())
    for name, reference in (("a", False), ("b", True)):
        found.reasons.names[name] = f"network {name}"
        found.allocator.begin(name, KnownTrial({"learning_rate": 1e-3}, 3, 1e4, reference))
    return found


def report(epoch: int, seconds: float = 2.0) -> TrialReport:
    values = tuple(0.1 * (i + 1) for i in range(epoch))
    return TrialReport(epoch, 9, values, EpochFigures(values[-1], epoch_seconds=seconds))


def test_there_is_room_until_the_slots_are_taken(pauses: Pauses) -> None:
    assert pauses.has_room
    pauses.use_limits(5, lambda: 2)
    assert not pauses.has_room
    pauses.pause("a", 1, None)
    assert pauses.has_room
    pauses.resume("a", Option("a", {}, "model"))
    assert not pauses.has_room
    assert pauses.take_continued() == "a"
    assert pauses.take_continued() is None


@pytest.mark.parametrize(
    ("trial", "epoch", "goes_on"), [("a", 1, True), ("a", 2, False), ("b", 2, True), ("a", 9, True)]
)
def test_what_continues_without_a_comparison(pauses: Pauses, trial: str, epoch: int, goes_on: bool) -> None:
    assert pauses.must_continue(trial, report(epoch)) is goes_on


def test_a_repeated_report_costs_nothing(pauses: Pauses) -> None:
    assert not pauses.must_continue("a", report(2))
    assert pauses.must_continue("a", report(2))
    assert pauses.seconds("a") == 4.0  # two epochs of two seconds, of which one report was lost


def test_a_search_that_is_over_goes_on_with_more_trials(pauses: Pauses) -> None:
    pauses.use_limits(2, lambda: 1)
    pauses.end("a", report(9))
    pauses.end("b", report(3))
    assert pauses.nothing_to_do()
    assert pauses.full(2)
    later: Pauses = pickle.loads(pickle.dumps(pauses))
    pauses.use_limits(2, lambda: 1)
    later.restored(pauses)
    assert later.over
    pauses.use_limits(3, lambda: 1)
    later.restored(pauses)
    assert not later.over
    assert not later.full(2)


def test_how_trials_end(pauses: Pauses) -> None:
    pauses.pause("a", 1, None)
    pauses.end("a", None)
    pauses.end("b", None)
    assert [pauses.allocator.known[name].state for name in "ab"] == ["stopped", "failed"]


def test_decisions_name_what_was_taken_instead(pauses: Pauses) -> None:
    pauses.reasons.keep("a", "start", 0, None)
    pauses.pause("a", 2, Option("b", {}, "model", 0.5, 0.1, 0.6, "b", 0.01, 3))
    first, second = pauses.reasons.of("a")
    assert (first.kind, first.by) == ("start", "given")
    assert (second.kind, second.epoch, second.instead, second.best_name) == ("pause", 2, "network b", "network b")
    assert second.rivals == 3
    assert (second.predicted, second.value) == (None, None)  # those of the other trial
