"""A table out of its store: which runs count, and figures of cells as arrays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from srcnn.errors import SearchError
from srcnn.overlap.leaks import Leak
from srcnn.overlap.leaks import tags as leak_tags
from srcnn.tuning.paper.claims import FEW_SEEDS, MISSING
from srcnn.tuning.paper.table import Claim
from srcnn.tuning.report.data.search_data import find_parent
from srcnn.tuning.report.data.table_data import TableData, gather_table, paper_name
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome

from report_parts import table_data, trained

METRIC = "Set5/x3/psnr"
DATASET = {"name": "T91", "digest": "abc", "images": "9"}
LONG = [trained("9-1-5", seed, 32.0 + seed) for seed in (1, 0)]
SHORT = [trained("9-1-5", 0, 31.0, 1e6)]
FAILED = trained("9-1-5", 2, 20.0, 8e6, outcome=Outcome.FAILED, metrics={})

# Cells


def test_a_cells_runs_are_those_of_the_longest_budget_by_seed() -> None:
    data = table_data([*LONG, *SHORT, FAILED])
    assert data.longest == 4e6  # a failed run has no length
    assert data.lengths() == [1e6, 4e6]
    assert [one.seed for one in data.of("9-1-5", "ours", METRIC)] == [0, 1]
    assert [one.length for one in data.of("9-1-5", "ours", METRIC, 1e6)] == [1e6]
    assert data.of("9-3-5", "ours", METRIC) == data.of("9-1-5", "theirs", METRIC) == []
    assert data.of("9-1-5", "ours", "Set14/x3/psnr") == []


def test_figures_are_seeds_by_images_and_of_a_mean_seeds_by_one() -> None:
    data = table_data(LONG)
    found = data.figures("9-1-5", "ours", METRIC)
    assert found is not None
    np.testing.assert_allclose(found, [[32.1, 31.9], [33.1, 32.9]])  # baby and bird of seeds 0 and 1
    seconds = data.figures("9-1-5", "ours", "Set5/x3/seconds")
    assert seconds is not None and seconds.shape == (2, 1)
    assert data.figures("9-3-5", "ours", METRIC) is None


def test_without_a_run_there_is_nothing_to_show() -> None:
    data = table_data([])
    assert (data.longest, data.lengths(), data.recipes) == (0.0, [], [])


# What the paper prints, and a smoke test on other photographs


def test_a_smoke_test_measures_on_the_bundled_photographs_and_has_no_printed_figure() -> None:
    data = table_data(LONG)
    assert data.printed("9-1-5", METRIC) == 32.39
    assert data.printed("9-1-5", "Set14/x3/psnr") is None
    smoke = replace(data, budget=data.budget.replace(sample=True))
    assert smoke.here(METRIC) == "sample/test/x3/psnr"
    assert smoke.here(f"{METRIC}/baby") == "sample/test/x3/psnr/baby"
    assert smoke.here("B100/x3/psnr") == "B100/x3/psnr"  # not a test set of this table
    assert smoke.shown == ["sample/test/x3/psnr"]
    assert smoke.printed("9-1-5", METRIC) is None


def test_claims_are_judged_with_every_recipe_that_trained() -> None:
    def verdicts(*rows: str) -> list[tuple[str, str]]:
        claim = Claim(text="so", kind="order", rows=rows)
        data = table_data([*LONG, *(replace(one, row="9-3-5") for one in LONG)])
        found = replace(data, table=data.table.replace(claims=[claim.model_dump()])).verdicts()
        return [(one.recipe, one.verdict) for one in found]

    assert verdicts("9-1-5", "9-3-5") == [("ours", FEW_SEEDS)]
    data = table_data([])
    assert data.verdicts() == []
    claim = Claim(text="so", kind="order", rows=("9-1-5", "9-3-5"), recipes=("ours",))
    (missing,) = replace(data, table=data.table.replace(claims=[claim.model_dump()])).verdicts()
    assert missing.verdict == MISSING


def test_amounts_and_provenance() -> None:
    data = replace(table_data(LONG), tags={names.TAG_COMMIT: "0123456789abcdef"})
    assert data.provenance([*LONG, *SHORT]) == (
        f"n = 3 runs, 2 seeds; 1 million pixels, 4 million pixels; commit {data.commit}."
    )
    assert data.amount(2.5e6) == "2.5 million pixels"
    by_epochs = replace(data, budget=data.budget.replace(pixels=(), epochs=(50,)))
    assert by_epochs.amount(50.0) == "50 epochs"
    assert (paper_name("baby_GT"), paper_name("baby")) == ("baby", "baby")


# Out of a store

TABLE = {
    "title": "Kernels",
    "question": "Which?",
    "source": "nowhere",
    "rows": [{"name": "9-1-5", "config": {"kernels": "9-1-5"}}],
    "budgets": {"cpu": {"pixels": [1e6], "seeds": 2}},
}
LEAK = Leak("t1", "woman", "Set5", "test", 0.99, 1.0)


@pytest.fixture
def tracker(tmp_path: Path, empty: Path) -> Tracker:
    shutil.copy(empty, tmp_path)
    made = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    made.open_search("kernels-cpu", {"srcnn.kind": "table"}, {"budget": "cpu"})
    return made


def cell(tracker: Tracker, key: str, digest: str, outcome: str | None, psnr: float = 32.0, **more: str) -> None:
    tags = {"srcnn.row": "9-1-5", "srcnn.recipe": "ours", "srcnn.length": "1e6", "srcnn.cell": digest, **more}
    tracker.start_trial(key, f"run {key}", {"scale": 3, "seed": 123, "kernels": "9-1-5"}, tags, DATASET)
    tracker.log_epoch(key, 1, {"objective": 0.5, "pixels": 1e6, "val_gain": 1.5, "train_seconds": 9.0})
    tracker.log_figures(key, {"test/Set5/x3/psnr": psnr})
    if outcome is not None:
        tracker.end_trial(key, "FAILED" if outcome == "failed" else "FINISHED", {"outcome": outcome})


def gathered(tracker: Tracker, asked: list[str]) -> TableData:
    tracker.log_text(yaml.safe_dump(TABLE), "table.yaml")
    tracker.log_text(json.dumps(asked), "cells.json")
    return gather_table(tracker.uri, find_parent(tracker.uri), "http://ui/")


def test_one_run_counts_for_each_cell_that_is_asked_for(tracker: Tracker) -> None:
    cell(tracker, "done", "a", "finished", 32.5, **leak_tags((), (LEAK,)))
    cell(tracker, "again", "a", "failed")  # newer, but the cell has a finished run
    cell(tracker, "old", "b", "failed")
    cell(tracker, "running", "b", None)
    cell(tracker, "other", "c", "finished")  # of another seed count, asked for once
    data = gathered(tracker, ["a", "b"])
    runs = {one.name: one for one in data.trained}
    assert runs.keys() == {"run done", "run running"}
    done = runs["run done"]
    assert (done.row, done.recipe, done.scale, done.length, done.seed) == ("9-1-5", "ours", 3, 1e6, 123)
    assert (done.metrics, done.seconds, done.curve) == ({METRIC: 32.5}, 9.0, ((1e6, 1.5),))
    assert done.network is not None and done.network.kernels == (9, 1, 5)
    assert runs["run running"].outcome is Outcome.INTERRUPTED
    assert data.kept("9-1-5") == (LEAK,)
    assert (data.name, data.ui, data.table.title, data.budget.seeds) == ("kernels-cpu", "http://ui", "Kernels", 2)
    assert data.link("r") == f"http://ui/#/experiments/{data.experiment_id}/runs/r?workflowType=machine_learning"


def test_what_was_measured_without_training_stands_apart(tracker: Tracker) -> None:
    tracker.start_trial("bicubic", "bicubic", {"row": "bicubic", "scale": 3}, {}, DATASET)
    tracker.log_figures("bicubic", {"test/Set5/x3/psnr": 30.39})
    tracker.end_trial("bicubic", "FINISHED", {"outcome": "given"})
    data = gathered(tracker, [])
    assert data.trained == ()
    assert data.given == {("bicubic", 3): {METRIC: 30.39}}


def test_a_run_that_kept_no_table_is_refused(tracker: Tracker) -> None:
    with pytest.raises(SearchError, match="kernels-cpu") as caught:
        gather_table(tracker.uri, find_parent(tracker.uri), "")
    assert "\n" not in str(caught.value)
