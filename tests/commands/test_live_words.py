"""Words and small drawings for the state of a search."""

from __future__ import annotations

import math

import pytest

from srcnn.commands.live_words import clean, decision_words, duration, end_words, shorten, shorten_name, sparkline
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from live_events import event


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7 * 3600 + 61, "7 h 01 min")],
)
def test_times(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_curve_is_a_line_of_bars() -> None:
    assert sparkline([0, 1, 2], 9, 0, 2) == "▁▅█"
    assert sparkline([0, 1, math.nan, 2], 3, 0, 2) == "▅ █"
    assert sparkline([5, -5], 9, 0, 2, ascii_only=True) == "@_"
    assert sparkline([1, 1], 9, 1, 1) == "██"
    assert sparkline([1], 0, 0, 1) == ""


def test_texts_fit_and_can_be_printed() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten("abcdefg", 6, ascii_only=True) == "abcde~"
    assert shorten("abc", 0) == ""
    assert shorten_name("x3 9-1-5 (64-32) lr 5.0e-04 seed 124", 28) == "x3 9-1-5 (64-32) l… seed 124"
    assert shorten_name("x3 9-1-5 (64-32) lr 5.0e-04", 20) == "x3 9-1-5 (64-32) lr…"
    assert shorten_name("x3 9-1-5 seed 124", 15) == "x3 9-1-5 seed …"
    assert clean("a\x1b[31m\nb\t c") == "a?[31m b c"


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision("start", 0, "given"), "starts: it was given"),
        (Decision("start", 0, "model", 0.6, 0.05, 0.7), "the model chose it; expected +1.20 ± 0.10 dB, the best +1.40"),
        (
            Decision("pause", 2, "model", 0.6, instead="x3 9-5-5"),
            "waits after epoch 2, x3 9-5-5 got its slot; expected",
        ),
        (Decision("resume", 2, "model"), "goes on after epoch 2"),
        (Decision("stop", 3, "model"), "was stopped after epoch 3"),
        (Decision("finish", 9, "model"), "reached its last epoch"),
    ],
)
def test_a_decision_in_words(decision: Decision, words: str) -> None:
    state = LiveState("s", 12)
    state(event("start", "64", decision=decision))
    assert state.decision is not None
    said = decision_words(state.decision)
    assert said.startswith("x3 9-1-5 (64-32) ")
    assert words in said


def test_how_a_trial_ended() -> None:
    assert end_words(event("end", "64", (0.5, 1.25), Outcome.STOPPED)) == "stopped, +1.25 dB at epoch 2 of 9, 7 s"
    assert end_words(event("end", "64", (1.25,) * 9, Outcome.FINISHED)) == "finished, +1.25 dB, 7 s"
    assert end_words(event("end", "64", (), Outcome.FAILED, failure="dead\x07")) == "failed: dead?"
