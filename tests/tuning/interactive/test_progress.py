"""The progress of a search: lines in a terminal, a display in a notebook."""

from __future__ import annotations

import io
import sys
import types
from typing import Any

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event
from srcnn.tuning.interactive import progress
from srcnn.tuning.interactive.progress import Progress
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

SPEC = TrialSpec(TrainConfig(scale=3, pixels=1e6), {}, False)


def event(kind: Any, key: str = "a", gain: float | None = None, stage: str = "search", **changes: Any) -> Event:
    figures = EpochFigures(0.5, best_val_gain=gain) if gain is not None else None
    report = None if figures is None else TrialReport(1, 9, (0.5,), figures)
    return Event(kind, key, f"x3 <{key}>", SPEC, stage, changes.pop("trials", 2), report, **changes)


EVENTS = [
    event("start"),
    event("report", gain=0.2),
    event("fault", failure="lost"),
    event("start"),
    event("end", gain=0.25, outcome=Outcome.FINISHED),
    event("start", "b"),
    event("end", "b", outcome=Outcome.FAILED, failure="DivergenceError: loss"),
    event("start", "c", stage="confirm", trials=1),
    event("end", "c", gain=0.3, stage="confirm", trials=1, outcome=Outcome.FINISHED),
]


def test_lines_for_ended_trials() -> None:
    stream = io.StringIO()
    shown = Progress(2, stream)
    for one in EVENTS:
        shown(one)
    shown.close()
    lines = stream.getvalue().splitlines()
    assert [line.partition(", ")[0] for line in lines] == ["search 0/2", "search 1/2", "search 2/2", "confirm 1/1"]
    assert lines[1].endswith("x3 <a>: finished, gain +0.250 dB")
    assert lines[2].endswith("x3 <b>: failed, DivergenceError: loss")


def test_the_display_of_a_notebook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pages: list[str] = []
    handle = types.SimpleNamespace(update=pages.append)

    def display(page: str, display_id: bool) -> Any:
        pages.append(page)
        return handle

    monkeypatch.setattr(progress, "notebook_display", lambda: types.SimpleNamespace(display=display, HTML=str))
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    shown = Progress(2)
    for one in EVENTS[:7]:
        shown(one)
    shown.close()
    assert capsys.readouterr().out == ""
    assert len(pages) == 9
    assert 'value="2" max="2"' in pages[-1] and "best gain so far: x3 +0.250 dB" in pages[-1]
    assert "1 failed, 1 finished" in pages[-1] and "x3 &lt;a&gt;: finished" in pages[-1]


def test_a_notebook_is_told_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert progress.notebook_display() is None
    for shell, there in ((None, False), (object(), False), (types.SimpleNamespace(kernel=1), True)):
        module = types.SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", module)
        assert (progress.notebook_display() is not None) == there


def test_the_last_line_of_an_interrupted_search() -> None:
    stream = io.StringIO()
    shown = Progress(2, stream)
    shown.close("interrupted; a <b> continues")
    assert stream.getvalue() == "interrupted; a <b> continues\n"
    assert shown.page().endswith("<b>interrupted; a &lt;b&gt; continues</b></div>")


def test_after_a_resume_what_had_ended_is_counted() -> None:
    stream = io.StringIO()
    shown = Progress(3, stream)
    shown(event("restored", "a", gain=0.2, outcome=Outcome.FINISHED, trials=3))
    shown(event("restored", "b", gain=0.1, outcome=Outcome.WAITING, trials=3))
    assert stream.getvalue() == ""
    shown(event("end", "b", gain=0.3, outcome=Outcome.FINISHED, trials=3))
    assert stream.getvalue().startswith("search 2/3, ")
