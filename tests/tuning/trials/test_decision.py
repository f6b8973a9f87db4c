"""Decisions survive their text, which stays short enough for a tag."""

from __future__ import annotations

import json

import pytest

from srcnn.tuning.trials.decision import MOST_CHARACTERS, Decision, decisions_from, decisions_json

START = Decision("start", 0, "model", 1.05, 0.04, 1.0, "9-5-5 (64-64)", 1.5e-5, rivals=3)
PAUSE = Decision("pause", 2, "model", 0.98, 0.03, 1.02, "9-5-5 (64-64)", instead="x3 9-3-5 (64-32)", rivals=4)


def test_the_text_gives_the_same_decisions() -> None:
    every = [START, PAUSE, Decision("resume", 2, "random"), Decision("finish", 9, "grid", note="the last")]
    assert decisions_from(decisions_json(every)) == every
    assert decisions_from(decisions_json([])) == []


def test_numbers_are_rounded_and_what_is_not_a_number_is_left_out() -> None:
    (kept,) = decisions_from(decisions_json([Decision("start", 0, "model", 1.0123456, float("nan"), float("inf"))]))
    assert kept == Decision("start", 0, "model", 1.0123)


@pytest.mark.parametrize("count", [2, 30, 400])
def test_a_long_life_keeps_its_first_and_latest_decisions(count: int) -> None:
    every = [
        START,
        *(Decision("pause", i, "model", 0.9, 0.01, 1.0, f"trial {i}", 1e-5, "x" * 90) for i in range(count)),
    ]
    text = decisions_json(every)
    found = decisions_from(text)
    assert len(text) < MOST_CHARACTERS
    assert (found[0], found[-1].epoch) == (START, count - 1)
    dropped = len(every) - len(found)
    assert (dropped > 0) == (count > 20)
    assert found[1].note == (f"{dropped} decisions before this one were not kept" if dropped else "")


def test_long_words_are_cut() -> None:
    text = decisions_json(
        [Decision("start", 0, "given", note="n" * 10_000), Decision("stop", 1, "model", best_name="b" * 10_000)]
    )
    assert len(text) < MOST_CHARACTERS
    assert [d.kind for d in decisions_from(text)] == ["start", "stop"]


def test_fields_of_later_versions_are_ignored() -> None:
    row = {"kind": "start", "epoch": 0, "by": "given", "mood": "good"}
    assert decisions_from(json.dumps([row])) == [Decision("start", 0, "given")]


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"kind": "start"}]', '[{"kind": "jump", "epoch": 0, "by": "given"}]']
)
def test_a_damaged_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decisions_from(text)
