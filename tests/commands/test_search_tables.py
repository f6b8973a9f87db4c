"""The whole tables of a search's result, for figures that are known."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from srcnn.commands.search_tables import show_front, show_tables
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search.choice import Choice

from planned_search import plan
from search_results import BETTER, PAPER, confirmed, result, row
from space_text import GOOD, write


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")] for line in text.splitlines() if "│" in line]


def test_the_best_of_a_scale_beside_bicubic_and_the_papers_network(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    planned = plan(validation=1, judging=1, objectives=("gain", "macs"), sampler="tpe", confirm=False, test=("test",))
    rows = (
        row("best", 0.5, macs=9e4),
        row("reference", 0.25),
        row("small", 0.4, macs=5e3),
        row("x", 9, Outcome.FAILED),
    )
    text = StringIO()
    console = Console(file=text, width=200)
    show_tables(console, planned, result(planned, *rows))
    show_front(console, result(planned, *rows))
    found = cells(text.getvalue())
    assert ["", "x3", "bicubic", "0.00", "30.00 / 0.8000", ""] in found
    assert ["", "", "paper's network, same budget: reference", "+0.25", "30.25 / 0.9000", ""] in found
    assert ["", "", "1. best", "+0.50", "30.50 / 0.9000", ""] in found
    assert ["", "", "2. small", "+0.40", "30.40 / 0.9000", ""] in found
    assert ["", "x3", "small", "+0.40", "5000", ""] in found  # of the Pareto front
    assert not any(cell == "x" for line in found for cell in line)


def test_confirmed_configurations_have_intervals_and_verdicts(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    write(photos, GOOD)
    planned = plan(validation=1, judging=1, test=("test",))
    choice = Choice(3, (confirmed("best", BETTER), confirmed("reference", PAPER)))
    text = StringIO()
    show_tables(Console(file=text, width=200), planned, replace(result(planned, row("best", 1.3)), choices=(choice,)))
    assert "1. x3 best" in text.getvalue() or "1. best" in text.getvalue()
    assert "over the paper's network, same budget and further seeds: +0.100 [" in text.getvalue()
