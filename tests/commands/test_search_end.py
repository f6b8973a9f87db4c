"""What a search prints at its end, for figures that are known."""

from __future__ import annotations

import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from srcnn.commands import search_end
from srcnn.commands.search_end import (
    exit_code,
    failure_lines,
    interrupted_lines,
    look_lines,
    show_end,
    time_line,
    use_line,
    write_report,
)
from srcnn.errors import SearchError
from srcnn.tuning.driver.live_state import LiveState
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.whole_search.choice import Choice
from srcnn.tuning.whole_search.result import SearchResult

from live_events import event
from planned_search import plan
from search_results import BETTER, PAPER, confirmed, result, row
from space_text import GOOD, write


@pytest.fixture
def planned(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    return plan(validation=1, judging=1, sampler="tpe", confirm=False, test=("test",))


def said(planned: Plan, found: SearchResult, *, quiet: bool = False, width: int = 80) -> str:
    text = StringIO()
    show_end(Console(file=text, width=width), planned, found, quiet=quiet)
    return text.getvalue()


def test_the_end_of_a_confirmed_search(planned: Plan) -> None:
    choice = Choice(3, (confirmed("best", BETTER), confirmed("reference", PAPER)))
    found = replace(result(planned, row("best", 1.3), row("dead", 0, Outcome.FAILED)), choices=(choice,))
    text = said(planned, found)
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[0].startswith("best is surely better than the paper's network by 0.10 dB")
    assert "judging images" in text, "the gain names its images"
    assert any(line.split() == ["x3", "bicubic", "0.00", "30.00"] for line in lines)
    assert any(line.split() == ["paper's", "reference", "+1.22", "31.22"] for line in lines)
    assert any(line.split() == ["champion", "best", "+1.32", "31.32"] for line in lines)
    assert "2 trials in 12 s: 1 finished, 0 stopped, 1 failed" in lines
    assert "failed 1 time: DeadNetworkError: dead" in lines
    assert any(line.startswith("look    ") and "mlflow" in line for line in lines)
    assert "use     python experiments/upscale.py PHOTO --scale 3 --model best.safetensors" in lines
    assert "go on   python experiments/search.py --resume x --trials 100" in lines
    assert "bicubic  " not in said(planned, found, quiet=True)
    assert exit_code(found) == 0


def test_the_end_without_a_confirmation(planned: Plan) -> None:
    found = result(planned, row("best", 0.5), row("reference", 0.25), row("cut", 0.1, Outcome.STOPPED))
    text = said(planned, found)
    assert "best: best single trial, +0.50 dB over bicubic, not confirmed" in text
    assert "validation images" in text
    assert [line.split() for line in text.splitlines() if "reference" in line] == [
        ["paper's", "reference", "+0.25", "30.25"]
    ]
    nothing = result(planned, row("dead", 0, Outcome.FAILED), row("dead", 0, Outcome.FAILED))
    assert "x3: no trial finished" in said(planned, nothing)
    assert failure_lines(nothing.rows) == ["failed 2 times: DeadNetworkError: dead"]
    assert use_line(nothing) == ""
    assert exit_code(nothing) == 1
    assert time_line(nothing) == ""
    assert "use  " not in said(planned, nothing)


def test_a_search_whose_time_was_up_before_any_trial_finished_says_what_to_do(planned: Plan) -> None:
    limited = replace(planned, settings=planned.settings.replace(time_budget=90.0))
    cut = row("cut", 0.1, Outcome.STOPPED)
    early = replace(cut, report=TrialReport(2, 9, (0.1,), cut.report.figures if cut.report else None))
    found = result(limited, early, row("dead", 0, Outcome.FAILED))
    text = said(limited, found, width=200)
    assert "x3: no trial finished" in text
    assert (
        "time_budget: the 1 min 30 s were up before any trial finished, so nothing was chosen; give more time and"
        in text
    )
    # The first two of its nine epochs took all the time.
    assert "go on   python experiments/search.py --resume x --trials 100 --time-budget 6m45s" in text
    assert exit_code(found) == 1
    fine = result(limited, row("best", 0.5), early)
    assert (time_line(fine), exit_code(fine)) == ("", 0)
    assert "--trials 100 --time-budget 3m\n" in said(limited, fine, width=200)
    assert time_line(replace(found, interrupted=True)) == ""
    assert time_line(result(planned, early)) == ""  # stopped by its scheduler


def test_an_interrupted_search_says_what_is_kept_and_what_never_began(planned: Plan) -> None:
    state = LiveState("x", 12)
    state(event("end", "1", (1.0,) * 9, Outcome.FINISHED))
    state(event("end", "2", (1.0,), Outcome.INTERRUPTED))
    state(event("start", "3"))
    state(event("pause", "3", (1.0,)))
    found = result(planned, row("best", 0.5), interrupted=True)
    assert exit_code(found) == 130
    assert interrupted_lines(state, found) == [
        "interrupted after 12 s in the search: 3 of 12 trials had begun",
        "kept    1 finished, 1 waiting, 1 in the middle, which goes on from the last epoch",
        "never began: 9 trials of the search",
        "go on   python experiments/search.py --resume x",
    ]


def test_commands_are_those_of_the_program_that_was_called(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/bin/srcnn", "search"])
    text = said(planned, result(planned, row("best", 0.5)))
    assert "go on   srcnn search --resume x --trials 100" in text
    assert "use     srcnn upscale PHOTO --scale 3 --model best.safetensors" in text


def test_where_to_look(planned: Plan) -> None:
    assert look_lines("sqlite:///mlruns/mlflow.db", "x")[0].endswith(
        "mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db"
    )
    assert any("http://127.0.0.1:9" in line for line in look_lines("http://127.0.0.1:9", "x"))


def test_a_report_that_fails_does_not_fail_the_search(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(uri: str, name: str, folder: Path) -> Path:
        assert name == "x"
        raise SearchError(f"out: {folder} cannot be written")

    monkeypatch.setattr(search_end, "report_after", failing)
    page, words = write_report(result(planned), Path("there"))
    assert page == ""
    assert words == "not written (out: there cannot be written); again: python experiments/report.py x"

    def interrupted(uri: str, name: str, folder: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(search_end, "report_after", interrupted)
    assert write_report(result(planned), Path("there"))[1].startswith("not written (interrupted); again: ")
    monkeypatch.setattr(search_end, "report_after", lambda uri, name, folder: folder / "report.html")
    assert write_report(result(planned), Path("there")) == ("there/report.html", "there/report.html")
