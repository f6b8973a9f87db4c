"""What a search prints of its plan, its result and its end, for figures that are known."""

from __future__ import annotations

import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from srcnn.commands.search_output import resume_command, show_end, show_plan, show_result
from srcnn.config.training import TrainConfig
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.result import SearchResult

from planned_search import plan
from space_text import GOOD, write


@pytest.fixture
def planned(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    return plan(validation=1, judging=1, objectives=("gain", "macs"), sampler="tpe", confirm=False, test=("test",))


def console() -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=200), text


def row(
    name: str, gain: float, outcome: Outcome = Outcome.FINISHED, *, scale: int = 3, macs: float = 1e4
) -> TrialResult:
    spec = TrialSpec(TrainConfig(epochs=1, scale=scale), reference=name == "reference", label=name)
    report = TrialReport(4, 4, (gain,), EpochFigures(gain, gain, best_val_gain=gain), macs=macs)
    failure = "DeadNetworkError: dead" if outcome is Outcome.FAILED else ""
    return TrialResult(name, spec, outcome, report, failure, Path(f"{name}.safetensors"), {"test": (30 + gain, 0.9)})


def result(planned: Plan, *rows: TrialResult, interrupted: bool = False) -> SearchResult:
    bicubic = {("test", 3): (30.0, 0.8)}
    return SearchResult(planned.settings, rows, bicubic, interrupted, 12.4, "id", planned.settings.tracking_uri)


def test_the_plan(planned: Plan) -> None:
    where, text = console()
    show_plan(where, planned)
    said = text.getvalue()
    for words in ("search x", "tpe; optimises ", "space.yaml: ", "none: nothing is confirmed", "test (2 images)"):
        assert words in said
    assert "python experiments/search.py --resume x" in said


def test_the_best_of_a_scale_beside_bicubic_and_the_papers_network(planned: Plan) -> None:
    where, text = console()
    rows = (
        row("best", 0.5, macs=9e4),
        row("reference", 0.25),
        row("small", 0.4, macs=5e3),
        row("x", 9, Outcome.FAILED),
    )
    show_result(where, planned, result(planned, *rows))
    lines = [line.split("│") for line in text.getvalue().splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line] for line in lines]
    assert ["", "x3", "bicubic", "0.00", "30.00 / 0.8000", ""] in cells
    assert ["", "", "paper's network, same budget: reference", "+0.25", "30.25 / 0.9000", ""] in cells
    assert ["", "", "1. best", "+0.50", "30.50 / 0.9000", ""] in cells
    assert ["", "", "2. small", "+0.40", "30.40 / 0.9000", ""] in cells
    assert ["", "x3", "small", "+0.40", "5000", ""] in cells  # of the Pareto front
    assert not any(cell == "x" for line in cells for cell in line)


def test_the_end_counts_trials_and_names_causes(planned: Plan) -> None:
    where, text = console()
    rows = (row("best", 0.5), row("worse", 0.4), row("cut", 0.1, Outcome.STOPPED), row("dead", 0, Outcome.FAILED))
    show_end(where, result(planned, *rows))
    said = text.getvalue()
    assert "4 trials: 2 finished, 1 stopped, 1 failed; 12 s\n" in said
    assert "failed 1 times: DeadNetworkError: dead\n" in said
    assert "best x3: best.safetensors\n" in said
    assert "to continue" not in said
    show_end(where, replace(result(planned, *rows), interrupted=True))
    assert "interrupted; to continue: python experiments/search.py --resume x\n" in text.getvalue()


def test_how_to_resume(planned: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    there = planned.settings.replace(storage="/srv/storage")
    assert resume_command(there) == "python experiments/search.py --resume x --storage /srv/storage"
    monkeypatch.setattr(sys, "argv", ["/opt/bin/srcnn", "search"])
    assert resume_command(planned.settings) == "srcnn search --resume x"
