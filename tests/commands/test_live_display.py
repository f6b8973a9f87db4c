"""The live display: lines above the table, the interrupt at once, and how seldom it draws."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from srcnn.commands.live_display import LiveDisplay
from srcnn.commands.live_table import Shown
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.trials.outcome import Outcome

from live_events import event


def display(width: int = 80) -> tuple[LiveDisplay, StringIO]:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=width, height=24, color_system=None, legacy_windows=False)
    return LiveDisplay(console, LiveState("s", 12), Shown()), text


def plain(text: StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue())


def wait(ready: Callable[[], bool]) -> None:
    for _ in range(400):
        if ready():
            return
        time.sleep(0.02)
    pytest.fail("it was not drawn")


def test_ended_trials_stay_above_the_table_which_goes() -> None:
    shown, text = display()
    with shown:
        shown(event("start", "64"))
        shown(event("report", "64", (0.5, 0.8)))
        wait(lambda: "2/9" in plain(text))
        shown(event("fault", "64", failure="the worker died"))
        shown(event("end", "64", (1.25,) * 9, Outcome.FINISHED))
    lines = [line.strip() for line in plain(text).splitlines()]
    assert "1/12  x3 9-1-5 (64-32)              finished, +1.25 dB, 7 s" in lines
    assert "x3 9-1-5 (64-32)  starts again: the worker died" in lines
    assert text.getvalue().rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in text.getvalue()  # the cursor is back


def test_a_resumed_search_says_what_it_found() -> None:
    shown, text = display()
    with shown:
        shown(event("restored", "64", (1.0,) * 9, Outcome.FINISHED))
        shown(event("restored", "32", (1.0,), Outcome.WAITING))
        shown(event("restored", "16", (1.0,), Outcome.INTERRUPTED))
        shown(event("start", "16"))
    assert "resumed: 1 of 12 trials had ended, 2 wait at their last epoch" in plain(text)
    assert shown.state.counts == {"finished": 1, "waiting": 1, "running": 1}


def test_another_stage_has_a_line() -> None:
    shown, text = display(60)
    with shown:
        shown(event("end", "64", (1.0,) * 9, Outcome.FINISHED, trials=1))
        shown(event("start", "32", stage="confirm", trials=2))
    said = plain(text)
    assert "confirmation: the best configurations again" in said
    assert max(len(line) for line in said.splitlines()) <= 60


def test_the_interrupt_is_shown_from_a_signal_handler() -> None:
    shown, text = display()
    before = signal.signal(signal.SIGUSR2, lambda *_: shown.acknowledge())
    try:
        with shown:
            wait(lambda: "starting Ray" in plain(text))
            signal.raise_signal(signal.SIGUSR2)
            wait(lambda: "interrupted: stopping and saving" in plain(text))
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_events_draw_nothing() -> None:
    shown, _ = display()
    with shown:
        for _ in range(2000):
            shown(event("report", "64", (0.5,)))
        drawn = shown.drawings
    assert drawn < 50
    assert shown.processor_seconds > 0


def test_a_terminal_of_another_width_is_drawn_anew() -> None:
    shown, text = display()
    console = shown._console
    with shown:
        wait(lambda: "starting Ray" in plain(text))
        console.size = type(console.size)(50, 24)
        wait(lambda: "\x1b[2J" in text.getvalue())
