"""Figures and decisions in words."""

from __future__ import annotations

from typing import Any

import pytest

from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.watch import words
from srcnn.tuning.watch.state import DecisionMade, Live, TimeLeft

from watch_states import state


def live(**decision: Any) -> Live:
    given = {"trial": "a", "name": "x3 9-1-5 (64-32)", "scale": 3, "epoch": 0, "by": "model", **decision}
    return Live.model_validate(state(decision=DecisionMade.model_validate(given).model_dump()))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"), (-3, "0 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_figures() -> None:
    assert words.decibel(1.23456) == "+1.235 dB"
    assert words.decibel(-0.5) == "−0.500 dB"
    assert words.decibel(None) == words.decibel(float("nan")) == "–"
    assert words.difference(0.5, 0.25) == "+0.250"
    assert words.figure(-0.5) == "−0.500"
    assert words.difference(0.5, None) == "–"
    assert words.ago(0.4) == "just now"
    assert words.ago(65) == "1 min 5 s ago"
    assert words.core_time(5400) == "1.50 core-hours"
    assert words.time_left(None) == "not known yet"
    assert words.time_left(TimeLeft(seconds=600, error=60)) == "about 10 min 0 s, give or take 1 min 0 s"
    assert (words.plural(1, "trial"), words.plural(3, "trial")) == ("1 trial", "3 trials")


def test_decisions() -> None:
    name, paper = "x3 9-1-5 (64-32)", PAPER_GAIN[3]
    assert words.decision_text(Live.model_validate(state())) == ""
    started = words.decision_text(live(kind="start", predicted=0.5, spread=0.1, best=0.75))
    ends = f"it is expected to end at {0.5 * paper:.2f} ± {0.1 * paper:.2f} dB, the best of x3 at {0.75 * paper:.2f} dB"
    assert started == f"{name} was started: the model chose it; {ends}."
    assert words.decision_text(live(kind="start", by="given")) == f"{name} was started: it was given to run first."
    paused = words.decision_text(live(kind="pause", epoch=4, instead="x3 9-5-5"))
    assert paused == f"{name} was paused after epoch 4, and x3 9-5-5 got its place."
    assert "goes on after epoch 4, before 2 other waiting trials" in words.decision_text(
        live(kind="resume", epoch=4, rivals=2)
    )
    assert words.decision_text(live(kind="stop", epoch=4, note="the time is up")).endswith("(the time is up).")
    assert words.decision_text(live(kind="finish", epoch=9)) == f"{name} reached its last epoch, 9."
    # A name without its scale gets it.
    assert words.decision_text(live(kind="finish", epoch=9, name="paper", scale=2)).startswith("x2 paper")
