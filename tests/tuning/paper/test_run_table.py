"""A small table, really trained: with Ray, a real store, a kill, and its report."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mlflow.tracking import MlflowClient

from srcnn.commands import ablation
from srcnn.errors import SearchError
from srcnn.tuning.paper.run_table import run_table
from srcnn.tuning.paper.table_plan import TableSettings, plan_table
from srcnn.tuning.report.data.search_data import find_parent
from srcnn.tuning.report.data.table_data import gather_table
from srcnn.tuning.trials.outcome import Outcome

from checkout import EXPERIMENTS
from one_ray import one_ray

__all__ = ["one_ray"]  # six tables on one Ray

TABLE = {
    "title": "Small",
    "question": "Do more filters pay?",
    "source": "nowhere",
    "base": {"kernels": "5-1-3", "patch_size": 24, "learning_rate": 1.0e-4},
    "rows": [{"name": "8-8", "config": {"filters": "8-8"}}, {"name": "6-6", "config": {"filters": "6-6"}}],
    "claims": [{"text": "more is better", "kind": "order", "rows": ["8-8", "6-6"]}],
    "budgets": {"smoke": {"pixels": [2.0e4, 4.0e4], "seeds": 2, "sample": True}},
}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(TABLE), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture
def stored(table: Path, empty: Path) -> Path:
    """The table beside a store that has its tables."""
    (table.parent / "mlruns").mkdir()
    shutil.copy(empty, table.parent / "mlruns")
    return table


def settings(table: Path, **fields: object) -> TableSettings:
    return TableSettings(**{"table": str(table), "budget": "smoke", **fields})


def runs(table: Path) -> list[object]:
    client = MlflowClient(f"sqlite:///{table.parent}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


@pytest.mark.slow
def test_a_table_is_trained_once_measured_and_reported(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run_table(plan_table(settings(stored, seeds=1)))
    assert (first.trained, first.kept, first.failed, first.interrupted) == (4, 0, (), False)
    more = run_table(plan_table(settings(stored)))  # another seed: what is there stays
    assert (more.trained, more.kept) == (4, 4)
    every = runs(stored)
    assert {run.info.status for run in every} == {"FINISHED"}  # type: ignore[attr-defined]
    outcomes = Counter(run.data.tags.get("outcome", "parent") for run in every)  # type: ignore[attr-defined]
    assert outcomes == {Outcome.FINISHED: 8, "given": 1, "parent": 1}  # bicubic is the one that is given

    uri = "sqlite:///mlruns/mlflow.db"
    data = gather_table(uri, find_parent(uri), "http://127.0.0.1:5000")
    assert data.shown == ["sample/test/x3/psnr"]  # a smoke test measures on the photographs
    figures = data.figures("8-8", "ours", "sample/test/x3/psnr")
    assert figures is not None
    assert figures.shape == (2, 4)
    one = data.of("8-8", "ours", "sample/test/x3/psnr")[0]
    assert one.metrics["sample/test/x3/psnr"] == pytest.approx(figures[0].mean())
    assert len(one.curve) == 2
    assert [v.recipe for v in data.verdicts()] == ["ours"]

    capsys.readouterr()
    assert ablation.main(["--table", str(stored), "--budget", "smoke"]) == 0  # nothing is left to train
    said = capsys.readouterr().out
    assert "small-smoke: 0 trained, 8 finished before\n" in said
    assert "\n  not enough training to say: more is better\n" in said
    assert "\nreport: mlruns/reports/small-smoke/report.html\n" in said
    folder = "mlruns/reports/small-smoke"
    number = every[0].info.experiment_id  # type: ignore[attr-defined]
    assert f"#/experiments/{number}/runs?" in said.splitlines()[-1]  # the page with the runs in MLflow
    text = Path(folder, "report.md").read_text(encoding="utf-8")
    assert "more is better" in text
    with Path(folder, "tables/small-smoke-1.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["row", "bicubic", "8-8", "6-6"]
    assert float(rows[2][1].split()[0]) == pytest.approx(figures.mean(), abs=0.006)
    page = Path(folder, "report.html").read_text(encoding="utf-8")
    assert "Content-Security-Policy" in page  # it may fetch nothing; test_report looks into that
    pictures = {path.name for path in Path(folder, "pictures").iterdir()}
    assert {"small-smoke-convergence-ours-x3.png", "small-smoke-filters.png", "small-smoke-crops.png"} <= pictures


def test_a_cell_that_diverged_is_not_trained_again(stored: Path) -> None:
    """It is known by the class of its error, which its run has as a tag."""
    wild = {**TABLE["base"], "optimizer": "sgd", "learning_rate": 1.0e9}  # type: ignore[dict-item]
    budgets = {"smoke": {"pixels": [2.0e4], "sample": True}}
    text = yaml.safe_dump({**TABLE, "base": wild, "rows": TABLE["rows"][:1], "claims": [], "budgets": budgets})  # type: ignore[index]
    stored.write_text(text, encoding="utf-8")
    first, again = (run_table(plan_table(settings(stored))) for _ in range(2))
    (failure,) = first.failed
    assert "8-8 x3 0.02M" in failure
    (failed,) = (run for run in runs(stored) if run.data.tags.get("outcome") == Outcome.FAILED)  # type: ignore[attr-defined]
    assert failed.data.tags["failure.kind"] in ("DivergenceError", "DeadNetworkError")  # type: ignore[attr-defined]
    assert failed.data.tags["failure"].startswith(failed.data.tags["failure.kind"])  # type: ignore[attr-defined]
    assert (first.trained, first.kept, again.trained, again.kept) == (1, 0, 0, 1)


def test_what_was_measured_before_an_interruption_is_not_measured_again(stored: Path) -> None:
    budgets = {"smoke": {"pixels": [2.0e4], "seeds": 1, "sample": True}}
    stored.write_text(yaml.safe_dump({**TABLE, "budgets": budgets}), encoding="utf-8")
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        if told == [(0, 3), (1, 3)]:  # two networks and bicubic
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_table(plan_table(settings(stored)), measured=tell)
    result = run_table(plan_table(settings(stored)), measured=tell)
    assert (result.trained, result.kept) == (0, 2)
    assert told == [(0, 3), (1, 3), (0, 2), (1, 2), (2, 2)]
    assert {run.info.status for run in runs(stored)} == {"FINISHED"}  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_killed_table_goes_on_without_training_a_finished_cell_again(stored: Path) -> None:
    stored.write_text(
        yaml.safe_dump({**TABLE, "budgets": {"smoke": {"pixels": [4.0e5], "seeds": 4, "sample": True}}}),
        encoding="utf-8",
    )
    script = EXPERIMENTS / "ablation.py"
    command = [sys.executable, str(script), "--table", str(stored), "--budget", "smoke", "--max-concurrent", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as lines:
        ended = 0
        for line in lines:  # until three cells have ended
            ended += " finished " in line
            if ended == 3:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = {run.info.run_id for run in runs(stored) if run.data.tags.get("outcome") == Outcome.FINISHED}  # type: ignore[attr-defined]
    result = run_table(plan_table(settings(stored, max_concurrent=1)))
    assert result.trained + result.kept == 8
    assert result.kept >= 3  # what was said to have finished has, whether or not MLflow had been told
    cells = Counter(
        run.data.tags["srcnn.cell"]  # type: ignore[attr-defined]
        for run in runs(stored)
        if run.data.tags.get("outcome") == Outcome.FINISHED and "srcnn.cell" in run.data.tags  # type: ignore[attr-defined]
    )
    assert len(cells) == 8
    assert set(cells.values()) == {1}
    assert not [run for run in runs(stored) if run.info.status == "RUNNING"]  # type: ignore[attr-defined]
    after = {run.info.run_id for run in runs(stored) if run.data.tags.get("outcome") == Outcome.FINISHED}  # type: ignore[attr-defined]
    assert before <= after


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "filter_sise"], "error: table 'filter_sise' does not exist; did you mean"),
        (["--budget", "cpu"], "error: --table: must be given"),
        (
            ["--table", "small.yaml", "--budget", "cpu"],
            "error: budget: must be one of smoke for small.yaml, but got 'cpu'",
        ),
        (["--table", "small.yaml", "--budget", "hours"], "error: budget 'hours' does not exist"),
        (["--table", "small.yaml", "--seeds", "0"], "error: seeds: "),
        (["--table", "all", "--name", "x"], "error: --name: must not be combined with --table all"),
    ],
)
def test_mistakes_are_one_line(
    table: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert ablation.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(said.split("; did")[0])
    assert err.count("\n") == 1
    assert not (table.parent / "mlruns").exists()


def test_a_search_is_no_table(workplace: Path, stored: Path) -> None:
    from srcnn.tuning.tracking.tracker import open_tracker

    tracker = open_tracker("sqlite:///mlruns/mlflow.db")
    tracker.open_search("small-smoke", {}, {})
    tracker.close_search("FINISHED")
    with pytest.raises(SearchError, match="must be that of a table, but small-smoke is a search"):
        run_table(plan_table(settings(stored)))
