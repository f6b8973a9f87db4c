"""Real small searches and tables whose training images show a test image: left out, or kept on request and marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.commands import search
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError
from srcnn.imaging.image_files import write_image
from srcnn.overlap.leaks import MARK, read_tags
from srcnn.tuning.paper.run_table import run_table
from srcnn.tuning.paper.table import load_table
from srcnn.tuning.paper.table_images import table_images
from srcnn.tuning.paper.table_plan import TableSettings, plan_table
from srcnn.tuning.planning.plan import plan_search
from srcnn.tuning.planning.settings import SearchSettings, load_settings
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.report.data.table_data import gather_table
from srcnn.tuning.report.sections.search_report import search_document
from srcnn.tuning.report.sections.table_report import table_document
from srcnn.tuning.tracking.names import TAG_ROW
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search.run import run_search

from checkout import SPACES
from one_ray import one_ray

__all__ = ["one_ray"]  # two searches and a table on one Ray


@pytest.fixture
def leaky(with_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workplace with a seventh training photograph, which shows the first test photograph mirrored."""
    monkeypatch.setenv("SRCNN_CACHE", str(with_store / "cache"))
    name, image = load("test").images[0]
    write_image(Path("train", "zz leak.png"), np.ascontiguousarray(image[:90, ::-1]))
    assert name == "astronaut"
    return with_store


def settings(name: str, **fields: object) -> SearchSettings:
    given: dict[str, Any] = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",), "trials": 2}
    given |= {
        "validation": 2,
        "budget": 60e3,
        "best": 1,
        "choice_seeds": 1,
        "confirm_seeds": 2,
        "scales": (2,),
        "max_concurrent": 1,
    }
    return SearchSettings(**{**given, **fields})


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns/mlflow.db"


def texts(document: Any) -> str:
    """Every word of a report."""
    found = [document.subtitle]
    for section in document.sections:
        for part in section.parts:
            found += [str(part)]
    return "\n".join(found)


def names(images: Any) -> list[str]:
    return [name for name, _ in images.images]


def children(client: MlflowClient, parent: Run) -> list[Run]:
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return list(client.search_runs([parent.info.experiment_id], query))


@pytest.mark.slow
def test_a_search_leaves_a_leak_out_and_says_so_everywhere(leaky: Path) -> None:
    plan = plan_search(settings("clean", confirm=False))  # the other one has a champion
    assert "zz leak" not in names(plan.training) + names(plan.validation)
    assert [(leak.image, leak.shows, leak.of) for leak in plan.left_out] == [("zz leak", "astronaut", "test")]
    run_search(plan)
    client, parent = MlflowClient(store(leaky)), find_parent(store(leaky), "clean")
    left_out, kept = read_tags(parent.data.tags)
    assert (left_out, kept) == (plan.left_out, ())
    assert json.loads(parent.data.tags["data.left_out"])[0]["image"] == "zz leak"
    assert "zz leak shows astronaut of test" in parent.data.tags["mlflow.note.content"]
    for child in children(client, parent):
        assert child.inputs.dataset_inputs[0].dataset.digest == plan.training.digest
        assert read_tags(child.data.tags)[0] == plan.left_out
    report = texts(search_document(gather(store(leaky), parent)))
    assert "left out, since they show what is measured: zz leak shows astronaut of test" in report
    assert MARK not in report + parent.data.tags["mlflow.note.content"]


@pytest.mark.slow
def test_a_search_that_keeps_a_leak_marks_every_figure(leaky: Path) -> None:
    plan = plan_search(settings("leaky", allow_overlap=True))
    assert "zz leak" in names(plan.training) + names(plan.validation)
    result = run_search(plan)
    parent = find_parent(store(leaky), "leaky")
    assert read_tags(parent.data.tags) == ((), plan.kept)
    note = parent.data.tags["mlflow.note.content"]
    assert f"test {MARK} PSNR / SSIM" in note
    assert f"{MARK} measured on photographs that were trained on or chosen by: zz leak shows astronaut of test" in note
    assert all(sentence.endswith(MARK) for sentence in result.champions)
    client = MlflowClient(store(leaky))
    assert "data.overlap" in client.get_model_version_by_alias("srcnn-x2", "champion").tags
    report = texts(search_document(gather(store(leaky), parent)))
    assert f"test {MARK} PSNR (dB)" in report
    assert f"dB on test {MARK}" in report
    with pytest.raises(ConfigError, match="allow_overlap: must not change in a resumed search"):
        load_settings("leaky", "mlruns/ray", {"allow_overlap": False})


def test_the_command_prints_what_is_left_out_or_kept(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--name", "dry", "--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "2"]
    flags += ["--dry-run", "--scale", "2", "--gpus-per-trial", "0"]
    assert search.main(flags) == 0
    printed = capsys.readouterr().out
    assert "left out, since they show what is measured: zz leak shows astronaut of test" in printed
    assert search.main([*flags, "--allow-overlap"]) == 0
    printed = capsys.readouterr().out
    assert f"kept on request (--allow-overlap), so figures marked {MARK} are too high: zz leak" in printed


# Tables

TABLE = {
    "title": "Small",
    "question": "What is a leak worth?",
    "source": "nowhere",
    "train": "train",
    "hold_out": "train",
    "validation": 2,
    "test": ["test"],
    "shown": ["test/x3/psnr", "test/x3/psnr/astronaut"],
    "base": {"kernels": "5-1-3", "filters": "8-8", "patch_size": 24, "learning_rate": 1.0e-4},
    "rows": [{"name": "clean"}, {"name": "leaky", "allow_overlap": True}],
    "claims": [
        {"text": "a leak pays", "kind": "order", "rows": ["leaky", "clean"], "metric": "test/x3/psnr/astronaut"}
    ],
    "budgets": {"cpu": {"pixels": [2.0e4], "seeds": 2}},
}


@pytest.fixture
def table(leaky: Path) -> Path:
    path = leaky / "small.yaml"
    path.write_text(yaml.safe_dump(TABLE), encoding="utf-8")
    return path


def test_a_table_leaves_a_leak_out_of_the_rows_that_do_not_ask_for_it(table: Path) -> None:
    plan = plan_table(TableSettings(table=str(table), max_concurrent=1))
    clean, leaky = (plan.images.of(cell) for cell in plan.cells[:2])
    assert set(names(leaky.images)) - set(names(clean.images)) == {"zz leak"}
    assert (len(clean.left_out), len(clean.kept), len(leaky.left_out), len(leaky.kept)) == (1, 0, 0, 1)
    run = run_table(plan)
    assert (run.trained, run.failed) == (4, ())
    parent = find_parent(run.uri, run.name)
    assert [len(found) for found in read_tags(parent.data.tags)] == [1, 1]
    data = gather_table(run.uri, parent, "")
    for one in data.trained:
        assert bool(one.kept) == (one.row == "leaky")
    report = texts(table_document(data))
    assert report.count(MARK) >= 4  # both tables, both footnotes
    assert "zz leak shows astronaut of test" in report
    assert "astronaut of test x3, PSNR" in report
    for child in children(MlflowClient(run.uri), parent):
        if child.data.tags.get("outcome") == Outcome.FINISHED:
            wanted = leaky if child.data.tags[TAG_ROW] == "leaky" else clean
            assert child.inputs.dataset_inputs[0].dataset.digest == wanted.images.digest


def test_a_table_keeps_all_on_request_and_its_keys_without_overlap_stay(table: Path) -> None:
    plan = plan_table(TableSettings(table=str(table), allow_overlap=True))
    assert all(cell.allow_overlap for cell in plan.cells)
    assert plan.leaks[0] == () and len(plan.leaks[1]) == 1
    Path("train", "zz leak.png").unlink()
    free, allowed = (plan_table(TableSettings(table=str(table), allow_overlap=a)) for a in (False, True))
    assert [free.key(cell) for cell in free.cells] == [allowed.key(cell) for cell in allowed.cells]
    assert len({free.key(cell) for cell in free.cells}) == 4  # rows that differ in allow_overlap alone stay apart


def test_the_keys_of_the_papers_tables_are_those_of_earlier_runs() -> None:
    if not all((data_root() / name).is_dir() for name in ("T91", "Set5", "Set14")):
        pytest.skip("T91, Set5 or Set14 is not on disk")
    path = SPACES / "paper" / "filter_size.yaml"
    plan = plan_table(TableSettings(table=str(path)))
    # Read off commit e0b4621: finished runs of that commit are not trained again.
    assert [plan.key(cell) for cell in plan.cells[:3]] == ["6d815dbfb801663a", "d25ab952b3eda230", "929f91488b8b514c"]


def test_the_leak_table_trains_on_302003_only_where_a_row_says_so() -> None:
    if not all((data_root() / name).is_dir() for name in ("T91", "BSDS300/train", "Set5")):
        pytest.skip("T91, BSDS300/train or Set5 is not on disk")
    table = load_table(SPACES / "paper" / "leak.yaml")
    images = table_images(table, table.budgets["cpu"])
    (clean,), (leaky,) = images.training.values(), images.overlapping.values()
    assert set(names(leaky.images)) - set(names(clean.images)) == {"BSDS300/train/302003"}
    assert len(images.validation) == 9
