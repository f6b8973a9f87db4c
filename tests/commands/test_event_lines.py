"""The progress of a search as plain lines and as JSON."""

from __future__ import annotations

import json
import math
import re
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest

from srcnn.commands.event_lines import JsonLines, Lines, PlainLines
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from live_events import event

STORY = (
    event("start", "64", decision=Decision("start", 0, "given")),
    event("report", "64", (0.5,)),
    event("pause", "64", (0.5,), decision=Decision("pause", 1, "model", instead="x3 9-5-5")),
    event("start", "32"),
    event("fault", "32", failure="the worker\x1b[31m\ndied"),
    event("start", "32"),
    event("end", "32", (1.25,) * 9, Outcome.FINISHED),
    event("end", "64", (), Outcome.FAILED, failure="DeadNetworkError: dead"),
    event("start", "16", stage="confirm", trials=2),
)


def plain(*events: Event, verbose: bool = False, quiet: bool = False) -> list[str]:
    text = StringIO()
    shown = PlainLines(LiveState("s", 12), verbose=verbose, quiet=quiet, lines=Lines(text))
    with shown:
        for one in events:
            shown(one)
    return text.getvalue().splitlines()


def test_a_line_with_the_time_for_every_stage_end_and_fault() -> None:
    said = plain(*STORY)
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in said)
    words = [line[21:].strip() for line in said]
    assert words[0] == "search, 12 trials"
    assert words[1] == "x3 9-1-5 (32-32)  starts again: the worker?[31m died"
    assert words[2].startswith("1/12  x3 9-1-5 (32-32)              finished, +1.25 dB, 7 s")
    assert words[3].startswith("2/12  x3 9-1-5 (64-32)              failed: DeadNetworkError: dead")
    assert words[4].startswith("confirmation: the best configurations again")
    assert len(said) == 5
    assert all(line.isprintable() for line in said)


def test_verbose_has_every_event_and_quiet_none() -> None:
    words = [line[21:].strip() for line in plain(*STORY, verbose=True)]
    assert "x3 9-1-5 (64-32) starts: it was given" in words
    assert "x3 9-1-5 (64-32)  epoch 1 of 9, +0.50 dB" in words
    assert "x3 9-1-5 (64-32) waits after epoch 1, x3 9-5-5 got its slot" in words
    assert "x3 9-1-5 (32-32)  start" in words
    assert plain(*STORY, quiet=True) == []


def test_a_resumed_search_says_what_it_found() -> None:
    said = plain(event("restored", "64", (1.0,) * 9, Outcome.FINISHED), event("start", "32"))
    assert said[1].endswith("resumed: 1 of 12 trials had ended, 0 wait at their last epoch")


def objects(*events: Event) -> list[dict[str, Any]]:
    text = StringIO()
    shown = JsonLines(LiveState("s", 12), Lines(text))
    with shown:
        for one in events:
            shown(one)
        shown.acknowledge()
        shown.write("result", {"gain": math.nan, "rows": [math.inf, 1.0], "of": {"x": -math.inf}})
    return [json.loads(line, parse_constant=pytest.fail) for line in text.getvalue().splitlines()]


def test_one_object_a_line() -> None:
    found = objects(*STORY)
    kinds = [one["event"] for one in found]
    assert kinds == [
        *("stage", "start", "report", "pause", "start", "fault", "start", "end", "end", "stage", "start"),
        *("interrupt", "result"),
    ]
    end = found[kinds.index("end")]
    assert end["trial"] == "32"
    assert end["gain"] == 1.25
    assert end["outcome"] == "finished"
    assert (end["epoch"], end["epochs"], end["ended"], end["trials"]) == (9, 9, 1, 12)
    assert found[1]["decision"] == {"kind": "start", "epoch": 0, "by": "given"} | {
        name: value for name, value in found[1]["decision"].items() if name not in ("kind", "epoch", "by")
    }
    assert found[-1]["rows"] == [None, 1.0]
    assert found[-1]["gain"] is None
    assert all("time" in one for one in found)


def test_a_line_of_a_signal_handler_never_stands_in_the_middle_of_another() -> None:
    class Stream(StringIO):
        lines: Lines

        def flush(self) -> None:
            if "second" not in self.getvalue():  # the signal comes while the first line is written
                self.lines.write("second")

    stream = Stream()
    stream.lines = lines = Lines(stream)
    lines.write("first")
    assert stream.getvalue() == "first\nsecond\n"


def test_a_log_in_an_old_encoding() -> None:
    raw = BytesIO()
    stream = TextIOWrapper(raw, encoding="ascii")
    Lines(stream).write("about 2 ± 1")
    assert raw.getvalue().splitlines()[-1] == b"about 2 ? 1"


def test_a_reader_that_has_gone_ends_no_search() -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    Lines(Gone()).write("a line")
