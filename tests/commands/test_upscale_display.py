"""What the command upscale shows."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from srcnn.commands.upscale_display import Display, JsonLines, Lines, ProgressBar, Tally, summary
from srcnn.upscaling.pipeline import Event, Job
from srcnn.upscaling.plan import Plan

JOB = Job(Path(os.fsdecode(b"in/[red]\xff.png")), Path("out/b.png"), "png", 1_000_000)
EVENTS = [
    Event("started", JOB),
    Event("progress", JOB, 0.251),
    Event("progress", JOB, 0.252),
    Event("done", JOB, 1.0, notes=("16 bits became 8",), seconds=2.0, size=(1000, 1000)),
    Event("failed", JOB, message="in/c.png: cannot be decoded"),
]


def played(display: Display) -> Tally:
    plan = Plan([JOB, JOB], finished=3, failures=[(Path("d.png"), "d.png: is empty")], skipped=Counter({"hidden": 2}))
    tally = Tally()
    display.begin(plan)
    for event in EVENTS:
        tally.count(event)
        display.event(event)
    display.end(tally, plan, 4.0, interrupted=False)
    return tally


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tally = played(Lines())
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        r"[1/2] in/[red]\xff.png -> out/b.png, 1000x1000, 2.0 s (16 bits became 8)",
        "1 photo enlarged in 4.0 s, 0.2 Mpixel/s; 3 finished before; 2 failed; skipped: hidden 2",
    ]
    assert shown.err.splitlines() == ["failed: d.png: is empty", "failed: in/c.png: cannot be decoded"]
    assert (tally.done, tally.pixels, len(tally.failures)) == (1, 1_000_000, 1)


def test_quiet_prints_failures_only(capsys: pytest.CaptureFixture[str]) -> None:
    played(Lines(quiet=True))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 2


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    played(JsonLines())
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["plan", "failed", "started", "progress", "done", "failed", "end"]
    assert events[0] == {"event": "plan", "photos": 2, "finished": 3, "skipped": {"hidden": 2}}
    assert os.fsencode(events[4]["photo"]) == b"in/[red]\xff.png"
    assert events[4] | {"photo": ""} == {
        "event": "done", "photo": "", "result": "out/b.png", "compare": None, "width": 1000, "height": 1000, "seconds": 2.0,
        "notes": ["16 bits became 8"],
    }  # fmt: skip
    assert events[-1] == {
        "event": "end", "done": 1, "failed": 2, "finished": 3, "skipped": {"hidden": 2}, "seconds": 4.0, "interrupted": False,
    }  # fmt: skip


def test_the_bar_takes_no_name_for_markup() -> None:
    screen = io.StringIO()
    bar = ProgressBar(Console(file=screen, force_terminal=True, width=100))
    played(bar)
    shown = screen.getvalue()
    assert r"in/[red]\xff.png -> out/b.png" in shown
    assert "failed: d.png: is empty" in shown
    assert "1 photo enlarged" in shown


def test_the_summary_of_nothing() -> None:
    assert summary(Tally(), Plan(), 0.0) == "0 photos enlarged in 0.0 s"
