"""The table of a running search in terminals of many sizes."""

from __future__ import annotations

import pytest

from srcnn.commands.live_table import Shown, frame
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from live_events import event


def state(running: int = 2) -> LiveState:
    now = [0.0]
    found = LiveState("s", 12, expected=300.0, clock=lambda: now[0])
    found(event("start", "64", reference=True))
    now[0] = 10.0
    found(event("report", "64", (0.2, 0.9, 1.0), reference=True))
    for place in range(1, running):
        found(event("start", f"3{place}", decision=Decision("start", 0, "model", 0.6, 0.05, 0.7)))
        found(event("report", f"3{place}", (0.4, 1.1)))
    return found


def texts(found: LiveState, width: int, height: int, shown: Shown | None = None) -> list[str]:
    return [line.plain for line in frame(found, width, height, shown or Shown())]


def test_everything_is_there_at_80_by_24() -> None:
    lines = texts(state(), 80, 24)
    text = "\n".join(lines)
    assert lines[1].startswith("search 0/12 · 2 running · 0 waiting · 0 finished")
    for words in (
        "10 s",
        "expected 5 min 00 s in all",
        "core-hours",
        "epoch",
        "3/9",
        "to best",
        "-0.10",
        "best",
        "cpu",
    ):
        assert words in text
    assert "+1.10 dB  +0.10 over the paper's network" in text
    assert "last decision  x3 9-1-5 (31-32) starts: the model chose it; expected +1.20" in text
    assert "▁" in text


@pytest.mark.parametrize("width", [30, 60, 80, 160])
@pytest.mark.parametrize("height", [4, 8, 24, 50])
@pytest.mark.parametrize("running", [1, 3, 64])
def test_it_fits(width: int, height: int, running: int) -> None:
    lines = frame(state(running), width, height, Shown(note="interrupted: the trials are saved"))
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    if running == 64:
        assert any("more running" in line.plain for line in lines)


def test_a_narrow_terminal_keeps_epoch_and_gain() -> None:
    head = next(line for line in texts(state(), 60, 24) if "running  " in line)
    assert "epoch" in head
    assert "to best" in head
    assert " on" not in head
    assert texts(state(), 60, 24)[1] == "search 0/12 · 2 running"


def test_a_terminal_without_unicode() -> None:
    found = state()
    for one in ("31", "64"):
        found(event("end", one, (1.0,) * 9, Outcome.FINISHED))
    assert all(line.isascii() for line in texts(found, 80, 24, Shown(ascii_only=True)))


def test_time_left_has_its_error_and_what_comes_after() -> None:
    now = [0.0]
    found = LiveState("s", 4, clock=lambda: now[0])
    for place, one in enumerate(("a", "b", "c")):
        found(event("start", one, trials=4))
        now[0] += 10.0 + place
        found(event("end", one, (1.0,) * 9, Outcome.FINISHED, trials=4))
    text = "\n".join(texts(found, 100, 24, Shown(later=60.0)))
    assert "about 11 s ± 1 s left  + 1 min 00 s to confirm" in text
    assert "3 finished" in text


def test_nothing_runs_yet_or_any_more() -> None:
    assert any("starting Ray" in line for line in texts(LiveState("s", 12), 80, 24))
    found = LiveState("s", 1)
    found(event("end", "64", (1.0,) * 9, Outcome.FINISHED, trials=1))
    assert any("choosing and measuring" in line for line in texts(found, 80, 24))
