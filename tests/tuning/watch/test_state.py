"""The state is read from any file, and a search whose process is gone does not count as running."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import FILE, LiveFile, LiveState
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.watch.state import WatchedSearch, process_is_there

from watch_states import put, state, trial


def test_what_a_search_writes_is_read(tmp_path: Path) -> None:
    live = LiveFile(tmp_path, LiveState("today", 4), {"scales": [3]})
    spec = TrialSpec(TrainConfig(scale=3), reference=True)
    report = TrialReport(1, 9, (0.25,), EpochFigures(0.25, best_val_gain=0.5), device="cpu")
    decision = Decision("start", 0, "model", predicted=0.6, spread=0.1)
    live(Event("start", "a", "the paper's", spec, "search", 4, decision=decision))
    live(Event("report", "a", "the paper's", spec, "search", 4, report))
    live(Event("end", "a", "the paper's", spec, "search", 4, report, Outcome.FINISHED))
    live.write("running")
    found = WatchedSearch.read(tmp_path)
    assert found.live is not None and found.health.kind == "running"
    assert (found.name, found.live.ended, found.live.scales) == ("today", 1, [3])
    (one,) = found.live.trials
    assert (one.curve, one.gain, one.state, one.device) == ((0.5,), 0.5, "finished", "cpu")
    assert found.live.references == {3: 0.5} and found.live.best[3].reference
    assert found.live.decision is not None and found.live.decision.predicted == 0.6
    live.write("ended")
    assert WatchedSearch.read(tmp_path).health.kind == "ended"


@pytest.mark.parametrize("kind", ["ended", "interrupted", "failed"])
def test_an_end_is_told(tmp_path: Path, kind: str) -> None:
    found = WatchedSearch.read(put(tmp_path, state(state=kind, pid=2**31 - 1), age=90))
    assert found.health.kind == kind
    assert 89 <= found.health.age < 120


def test_a_killed_search_is_told_by_its_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    before = WatchedSearch.read(put(tmp_path, state(pid=os.getpid())))
    process.wait()
    found = WatchedSearch.read(put(tmp_path, state(pid=process.pid), age=300))
    assert (before.health.kind, found.health.kind) == ("running", "killed")
    assert str(process.pid) in found.health.text and "resumed" in found.health.text
    assert found.stamp != before.stamp


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    now = datetime.now(UTC)
    assert process_is_there(os.getpid(), now)
    if Path("/proc/uptime").exists():
        assert not process_is_there(os.getpid(), now - timedelta(days=9999))
    assert not process_is_there(2**31 - 1, now)
    assert not process_is_there(2**80, now)


def test_a_process_that_ended_and_was_not_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()  # its end
    process.stdout.close()
    while not Path("/proc").exists() or "Z" not in Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2]:
        if process.poll() is not None:
            break
    if process.returncode is None:
        assert not process_is_there(process.pid, datetime.now(UTC))
    process.wait()


def test_a_long_silence_is_told_though_the_process_is_there(tmp_path: Path) -> None:
    put(tmp_path, state())
    assert "nothing for long" not in WatchedSearch.read(tmp_path).health.text
    # This process began long after that time, so a parent that is older stands for it.
    put(tmp_path, state(pid=1), age=700)
    found = WatchedSearch.read(tmp_path)
    assert found.health.kind == "killed" or "nothing for long" in found.health.text


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 2}', '{"version": 1, "search": 3}', '{"version": 1, "trials": [1]}']
)
def test_a_file_that_cannot_be_read_is_no_error(tmp_path: Path, text: str) -> None:
    found = WatchedSearch.read(put(tmp_path, text))
    assert found.live is None and found.health.kind == "unknown"
    assert FILE in found.health.text and "\n" not in found.health.text


def test_no_file_is_no_error(tmp_path: Path) -> None:
    found = WatchedSearch.read(tmp_path / "today")
    assert (found.live, found.name, found.health.kind) == (None, "today", "unknown")


def test_a_field_of_a_later_version_and_missing_ones_are_no_error(tmp_path: Path) -> None:
    data = state(trial("a", new=1), new={"x": 1})
    for field in ("slots", "limit", "about", "decision"):
        del data[field]
    found = WatchedSearch.read(put(tmp_path, data))
    assert found.live is not None and found.live.running[0].id == "a"
