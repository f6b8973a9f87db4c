"""What the command ablation prints, in a terminal of 80 columns and in a file."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from srcnn.commands.table_output import TableMonitor, say, say_end, say_plan, say_result, say_tables
from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event
from srcnn.tuning.paper.run_table import TableRun
from srcnn.tuning.paper.table import load_table, table_files
from srcnn.tuning.paper.table_plan import TableSettings, plan_table
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

from checkout import SPACES
from report_parts import table_data, trained

RUNS = [trained(row, seed, 32.0 + 0.2 * seed + (row == "9-3-5")) for row in ("9-1-5", "9-3-5") for seed in (0, 1)]
CLAIM = {
    "text": "a larger second filter gives a better network than a smaller one",
    "kind": "order",
    "rows": ["9-3-5", "9-1-5"],
}
LONG = "1e-4, last layer x0.1 [authors] x3 2M seed 123"


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def console(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Console(file=StringIO(), width=80, force_terminal=request.param, color_system=None)


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    found = [line.rstrip() for line in console.file.getvalue().splitlines()]
    if console.is_terminal:
        assert max(map(len, found)) <= 80
    return found


def words(console: Console) -> str:
    return " ".join(" ".join(lines(console)).split())


def event(name: str, outcome: Outcome, failure: str = "") -> Event:
    report = TrialReport(2, 9, (0.5,), EpochFigures(0.5, best_val_gain=1.25, train_seconds=7.0))
    return Event("end", name, name, TrialSpec(TrainConfig(epochs=1)), "table", 12, report, outcome, failure)


def test_a_line_for_every_run_in_the_width_of_the_terminal(console: Console) -> None:
    monitor = TableMonitor(console)
    monitor(event(LONG, Outcome.FINISHED))
    monitor(event("9-1-5 x3", Outcome.FAILED, "DeadNetworkError: dead"))
    first, second = lines(console)
    assert first.startswith(" 1/12     0 s  1e-4, last")
    assert first.endswith(" seed 123 finished gain +1.25 dB, 7 s")
    assert (LONG in first) is not console.is_terminal
    assert second.startswith(" 2/12 ")
    assert second.endswith("failed   DeadNetworkError: dead")


def test_the_figures_and_the_verdicts_in_words(console: Console) -> None:
    data = table_data(RUNS)
    say_result(console, replace(data, table=data.table.replace(claims=[CLAIM])))
    text = words(console)
    assert "Set5 x3, PSNR in dB, after 4 million pixels" in text
    assert "row paper ours [95 %] ours - paper seeds" in text
    assert "9-3-5 32.39 33.10 [31.83, 34.37] +0.71 2" in text
    assert "paper's claims" not in text
    assert f" claims: not enough seeds to say: {CLAIM['text']} 9-3-5 - 9-1-5 is +1.000 dB" in text
    assert text.endswith("2 seeds, 5 are needed")


def test_recipes_are_named_if_there_are_several(console: Console) -> None:
    data = table_data([*RUNS, *(replace(run, recipe="authors") for run in RUNS)])
    recipes = {"ours": {}, "authors": {"preset": "paper"}}
    say_result(console, replace(data, table=data.table.replace(claims=[CLAIM], recipes=recipes)))
    text = words(console)
    assert f"{CLAIM['text']} (ours)" in text
    assert f"{CLAIM['text']} (authors)" in text
    assert "row recipe paper ours [95 %]" in text


def test_the_end_counts_and_an_interruption_names_the_command(console: Console) -> None:
    failed = ("9-1-5 x3 seed 1: DeadNetworkError: [dead]",)
    say_end(console, TableRun("depth-cpu", "uri", 3, 4, failed, True), "python experiments/ablation.py --table depth")
    assert words(console) == (
        "depth-cpu: 3 trained, 4 finished before, 1 failed failed: 9-1-5 x3 seed 1: DeadNetworkError: [dead] "
        "interrupted; what was trained is kept, and this command continues: python experiments/ablation.py --table depth"
    )


def test_the_plan_and_the_list(console: Console) -> None:
    tables = table_files(SPACES / "paper")
    say_plan(console, plan_table(TableSettings(table=str(tables["depth"]), budget="smoke")))
    text = words(console)
    assert text.startswith("table depth-smoke: Is deeper no better")
    assert "24 runs: 10 rows at x3, 0.05, 0.1 million pixels, 1 seed; recipes ours, authors" in text
    say_tables(console, [(name, load_table(path)) for name, path in tables.items()])
    text = "\n".join(lines(console))
    assert all(f"\n {name} " in text or f"\n{name} " in text for name in tables)


def test_a_file_has_whole_lines_and_no_markup(console: Console) -> None:
    said = "word [bold]and[/bold] " * 10
    say(console, said.strip(), indent=2)
    assert words(console) == said.strip()
    if not console.is_terminal:
        assert lines(console) == [f"  {said.strip()}"]
