"""The state of a running search: sums of events, and the file for whoever looks at it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver import live_state
from srcnn.tuning.driver.events import Event, EventKind
from srcnn.tuning.driver.live_state import FILE, LiveFile, LiveState
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def report(*gains: float, epochs: int = 9, scale: int = 3) -> TrialReport:
    curve = tuple(gain / PAPER_GAIN[scale] for gain in gains)
    return TrialReport(len(gains), epochs, curve, EpochFigures(curve[-1], best_val_gain=max(gains)), device="cpu")


def event(
    kind: EventKind,
    trial: str,
    seen: TrialReport | None = None,
    outcome: Outcome | None = None,
    *,
    scale: int = 3,
    stage: str = "search",
    trials: int = 4,
    reference: bool = False,
    decision: Decision | None = None,
) -> Event:
    spec = TrialSpec(TrainConfig(scale=scale, epochs=9), reference=reference)
    return Event(kind, trial, f"name {trial}", spec, stage, trials, seen, outcome, "", decision)


def test_a_trial_from_start_over_a_pause_to_its_end() -> None:
    clock = Clock()
    state = LiveState("s", 4, clock=clock)
    state(event("start", "a", decision=Decision("start", 0, "model", predicted=0.5)))
    clock.now += 5
    state(event("report", "a", report(0.2, 0.5)))
    assert state.all["a"].curve == pytest.approx((0.2, 0.5)) and state.all["a"].epochs == 9
    assert [trial.id for trial in state.running] == ["a"] and state.core_seconds == 5
    state(event("pause", "a", report(0.2, 0.5)))
    clock.now += 60
    assert state.counts == {"waiting": 1} and state.core_seconds == 5 and state.ended == 0
    state(event("start", "a"))
    clock.now += 5
    state(event("report", "a", report(0.2, 0.5, 0.9)))
    state(event("end", "a", report(0.2, 0.5, 0.9), Outcome.FINISHED))
    assert state.counts == {"finished": 1} and state.ended == 1 and state.core_seconds == 10
    assert state.best[3].gain == 0.9 and state.decision is not None and state.decision["name"] == "name a"


def test_after_a_resume_what_had_ended_is_counted() -> None:
    state = LiveState("s", 4, clock=Clock())
    for trial, outcome in (("a", Outcome.FINISHED), ("b", Outcome.STOPPED), ("c", Outcome.WAITING)):
        state(event("restored", trial, report(0.3), outcome))
    state(event("restored", "d", report(0.3), Outcome.INTERRUPTED))  # it goes on
    assert state.ended == 2 and state.restored == 2 and not state.running
    assert state.counts == {"finished": 1, "stopped": 1, "waiting": 2}
    state(event("start", "d"))
    assert state.ended == 2 and state.counts == {"finished": 1, "stopped": 1, "waiting": 1, "running": 1}


def test_the_best_and_the_papers_network_of_each_scale() -> None:
    state = LiveState("s", 4, clock=Clock())
    state(event("report", "a", report(0.5), reference=True))
    state(event("report", "b", report(0.7)))
    state(event("report", "c", report(0.6, scale=2), scale=2))
    assert [(scale, best.trial) for scale, best in state.best.items()] == [(2, "c"), (3, "b")]
    assert state.references == {3: 0.5}


def test_a_new_stage_counts_from_zero_also_one_of_the_same_name() -> None:
    state = LiveState("s", 1, clock=Clock())
    state(event("end", "a", report(0.5), Outcome.FINISHED, trials=1))
    state(event("start", "b", stage="confirm", trials=2))
    assert state.stage == "confirm" and state.ended == 0 and state.number == 2
    for trial in "bc":
        state(event("end", trial, report(0.5), Outcome.FINISHED, stage="confirm", trials=2))
    state(event("start", "d", stage="confirm", trials=2))
    assert state.number == 3 and state.counts == {"running": 1}


def test_the_time_left_comes_from_the_trials_so_far() -> None:
    clock = Clock()
    state = LiveState("s", 4, clock=clock)
    assert state.left is None
    for trial, seconds in (("a", 10), ("b", 14)):
        state(event("start", trial))
        clock.now += seconds
        state(event("end", trial, report(0.5), Outcome.FINISHED))
    left = state.left
    assert left is not None and left.seconds == pytest.approx(2 * 12) and left.error == pytest.approx(2 * 2 * 2)
    state(event("start", "c"))
    clock.now += 4
    state(event("pause", "c", report(0.5)))  # expected to use half of the 8 seconds that it lacks
    left = state.left
    assert left is not None and left.seconds == pytest.approx((10 + 14 + 4 + 4) / 3 + 4)
    limited = LiveState("s", 4, limit=30, clock=clock)
    limited.all, limited._members, limited.slots = state.all, state._members, 1
    limited.trials = 40
    assert limited.left is not None and limited.left.seconds == 30


def test_the_file_is_whole_and_says_how_the_search_ended(tmp_path: Path) -> None:
    live = LiveFile(tmp_path, LiveState("s", 4), {"scales": [3]})
    live(event("start", "a"))
    live(event("report", "a", report(0.5)))  # within a second of the last write
    assert json.loads((tmp_path / FILE).read_text())["trials"][0]["epoch"] == 0
    live.write("interrupted")
    data = json.loads((tmp_path / FILE).read_text())
    assert data["state"] == "interrupted" and data["trials"][0]["epoch"] == 1 and data["about"] == {"scales": [3]}
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_folder_that_cannot_be_written_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    LiveFile(tmp_path / "file" / "folder", LiveState("s", 4)).write("ended")


def test_the_last_of_many_events_is_written_without_a_further_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_state, "_EVERY", 0.05)
    monkeypatch.setattr(live_state, "_SHARE", 0)
    live = LiveFile(tmp_path, LiveState("s", 4))
    for trial in "abc":
        live(event("start", trial))
    until = time.monotonic() + 20
    while len(json.loads((tmp_path / FILE).read_text())["trials"]) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(json.loads((tmp_path / FILE).read_text())["trials"]) == 3


def test_no_write_comes_after_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_state, "_EVERY", 0.05)
    live = LiveFile(tmp_path, LiveState("s", 4))
    live(event("start", "a"))
    live(event("report", "a", report(0.5)))
    live.write("ended")
    time.sleep(0.2)
    assert json.loads((tmp_path / FILE).read_text())["state"] == "ended"


def test_a_slow_disk_does_not_silence_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_state, "_SHARE", 1e9)
    live = LiveFile(tmp_path, LiveState("s", 4))
    live(event("start", "a"))
    assert live._next - time.monotonic() <= 10.0
