"""MLflow's names stand in one module: their values are pinned here, since stores keep them, and nothing else spells them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

import srcnn
from srcnn.config.training import TrainConfig
from srcnn.tuning.paper.table_plan import TableSettings
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.report import EpochFigures
from srcnn.tuning.worker.run_trial import NETWORK_FILE

from checkout import EXPERIMENTS

LIBRARY = Path(srcnn.__file__).parent
HOME = LIBRARY / "tuning" / "tracking" / "names.py"
#: Files whose strings belong to other things than MLflow that are called the same.
OTHERWISE = {
    "overlap/leaks.py": {"data.left_out", "data.overlap"},  # their home
    "tuning/whole_search/confirmation.py": {"seed"},  # of a trial's specification
    "tuning/paper/run_table.py": {"cells.json"},  # in the folder of a stage
    "soak.py": {"space.yaml"},
    "_faults/driver.py": {"space.yaml"},
    "_faults/store_jobs.py": {"space.yaml", "checkpoint/network.safetensors", "checkpoint"},
    "_faults/whole_search.py": {"space.yaml"},
    "_bench/scale.py": {"space.yaml"},
}
#: Names in the schema that are also words of files, settings, messages and tables: forbidden as keys of a run's data alone.
MAPPINGS = ("tags", "params", "metrics")
#: Methods of MLflow's client and of `Tracker` that take a name.
METHODS = {
    *("download_artifacts", "get_experiment_by_name", "get_metric_history", "list_artifacts", "log_file", "log_metric"),
    *("log_text", "set_tag", "tag"),
}


def _schema() -> dict[str, str]:
    """Every name by its constant; prefixes and values of tags are not names."""
    kinds = ("TAG_", "PARAM_", "METRIC_", "ARTIFACT_", "MODEL_")
    return {name: value for name, value in vars(names).items() if name.startswith(kinds)}


def _sources() -> Iterator[Path]:
    yield from (file for folder in (LIBRARY, EXPERIMENTS) for file in sorted(folder.rglob("*.py")) if file != HOME)


def _distinctive(name: str) -> bool:
    return any(mark in name for mark in "./")


def _strings(tree: ast.AST) -> Iterator[ast.Constant]:
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def _keys(tree: ast.AST) -> Iterator[ast.Constant]:
    """Text keys of something called tags, params or metrics: ``x.tags["k"]``, ``tags.get("k")``, ``tags = {"k": ...}``."""

    def called(node: ast.expr) -> bool:
        return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) in MAPPINGS

    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=owner, slice=key) if called(owner):
                yield from _texts([key])
            case ast.Call(func=ast.Attribute(value=owner, attr="get" | "pop" | "setdefault"), args=keys) if called(
                owner
            ):
                yield from _texts(keys[:1])
            case ast.Compare(left=key, comparators=[owner, *_]) if called(owner):
                yield from _texts([key])
            case ast.Assign(targets=[owner, *_], value=ast.Dict(keys=keys)) if called(owner):
                yield from _texts(keys)
            case ast.Dict(keys=keys, values=values) if any(
                k is None and called(v) for k, v in zip(keys, values, strict=True)
            ):
                yield from _texts(keys)  # {**tags, "k": ...}
            case ast.Call(func=ast.Attribute(attr=method), args=arguments) if method in METHODS:
                yield from _texts(arguments)
            case ast.keyword(arg=word, value=ast.Dict(keys=keys)) if word in MAPPINGS:
                yield from _texts(keys)


def _texts(nodes: Sequence[ast.expr | None]) -> Iterator[ast.Constant]:
    yield from (node for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_nothing_else_spells_a_name() -> None:
    distinctive = {value for value in _schema().values() if _distinctive(value)}
    found, every = [], {*_schema().values(), names.EXPERIMENT, names.ARTIFACT_NETWORK}
    for file in _sources():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        place = str(file.relative_to(LIBRARY if file.is_relative_to(LIBRARY) else EXPERIMENTS))
        allowed = OTHERWISE.get(place, set())
        found += [f"{place}:{n.lineno}: {n.value!r}" for n in _strings(tree) if n.value in distinctive - allowed]
        found += [f"{place}:{n.lineno}: key {n.value!r}" for n in _keys(tree) if n.value in every - allowed]
    assert not found, "\n".join(found)


def test_the_check_sees_what_it_forbids() -> None:
    for text in (
        'x.tags["k"]',
        'run.data.params.get("k", 0)',
        '"k" in run.data.metrics',
        'tags = {"k": 1}',
        'f(tags={"k": 1})',
        '{**x.tags, "k": 1}',
        'client.get_metric_history(run, "k")',
    ):
        assert [node.value for node in _keys(ast.parse(text))] == ["k"], text


def test_values_that_stores_of_earlier_versions_hold() -> None:
    known = {
        "TAG_PARENT_RUN": "mlflow.parentRunId",
        "TAG_NOTE": "mlflow.note.content",
        "TAG_COMMIT": "mlflow.source.git.commit",
        "TAG_TRIAL": "srcnn.trial",
        "TAG_SEARCH": "srcnn.search",
        "TAG_KIND": "srcnn.kind",
        "TAG_CELL": "srcnn.cell",
        "TAG_ROW": "srcnn.row",
        "TAG_RECIPE": "srcnn.recipe",
        "TAG_LENGTH": "srcnn.length",
        "TAG_STAGE": "stage",
        "TAG_REFERENCE": "reference",
        "TAG_OUTCOME": "outcome",
        "TAG_FAILURE": "failure",
        "TAG_DEVICE": "device",
        "TAG_TRAIN_SET": "data.train",
        "TAG_TRAIN_DIGEST": "data.digest",
        "TAG_VALIDATION": "data.validation",
        "TAG_JUDGING": "data.judging",
        "TAG_LEFT_OUT": "data.left_out",
        "TAG_OVERLAP": "data.overlap",
        "TAG_TRIAL_DEVICE": "trial.device",
        "TAG_TRIAL_NODE": "trial.node",
        "METRIC_OBJECTIVE": "objective",
        "METRIC_BEST_VAL_GAIN": "best/val_gain",
        "METRIC_BEST_EPOCH": "best/epoch",
        "ARTIFACT_NETWORK": "checkpoint/network.safetensors",
        "ARTIFACT_SPACE": "space.yaml",
        "ARTIFACT_TABLE": "table.yaml",
        "ARTIFACT_CELLS": "cells.json",
        "ARTIFACT_REPORT": "report",
        "TAG_FIELDS": "srcnn.fields",
        "ARTIFACT_PICTURES": "pictures",
    }
    schema = _schema()
    assert {name: schema[name] for name in known} == known
    assert names.EXPERIMENT == "srcnn"
    assert names.version_tag("torch") == "version.torch"
    assert names.registered_model(3) == "srcnn-x3"
    assert names.best_metric(3, "psnr", "Set5") == "best/x3/Set5/psnr"
    assert names.champion_metric(2, names.CHAMPION_LOW) == "champion/x2/gain_low"
    assert names.versions({"version.b": "2", "device": "cpu", "version.a": "1"}) == {"a": "1", "b": "2"}


def test_metrics_and_parameters_follow_the_classes_they_come_from() -> None:
    assert set(names.EPOCH_METRICS) == {field.name for field in fields(EpochFigures)}
    assert names.epoch_metrics(EpochFigures(0.5, best_val_gain=1.0)) == {
        "objective": 0.5,
        "best/val_gain": 1.0,
        "best/epoch": 0,
    }
    assert names.ARTIFACT_NETWORK.rpartition("/")[2] == NETWORK_FILE
    settings = SearchSettings.model_fields.keys() | TableSettings.model_fields.keys() | TrainConfig.model_fields.keys()
    own = {"row", "recipe"}  # of a table's cell
    assert {value for name, value in _schema().items() if name.startswith("PARAM_")} - own <= settings


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Set5/x3/psnr", ("Set5", 3, "psnr", "")),
        ("sample/test/x2/Y/a.b", ("sample/test", 2, "Y", "a.b")),
        ("Set5/x4/psnr/x3/psnr", ("Set5", 4, "psnr", "x3/psnr")),
    ],
)
def test_figures_on_test_sets_read_back(text: str, parts: tuple[str, int, str, str]) -> None:
    found = names.SetFigure.parse(text)
    assert (found.images, found.scale, found.kind, found.image) == parts
    assert str(found) == text
    assert names.set_figures({names.set_metric(found): 1.0, "val_gain": 2.0}) == {text: 1.0}


def test_what_names_no_figure_is_refused() -> None:
    for text in ("psnr", "x3/psnr", "Set5/x3", "Set5/x9/psnr"):
        with pytest.raises(ValueError, match="must be SET/xSCALE/FIGURE"):
            names.SetFigure.parse(text)


def test_mlflow_takes_every_metric(empty: Path) -> None:
    """Its own check of names, which it makes before it writes."""
    client = MlflowClient(f"sqlite:///{empty}")
    run = client.create_run(client.create_experiment("names"))
    for name in (names.valid_metric("test/my (set) é/./../x3/psnr"), *names.EPOCH_METRICS.values()):
        client.log_metric(run.info.run_id, name, 1.0)
    assert "test/my _set_ é/x3/psnr" in client.get_run(run.info.run_id).data.metrics


def test_settings_that_are_lists_are_json() -> None:
    assert names.param_text(("gain", "macs")) == '["gain", "macs"]'
    assert names.param_text(9e6) == "9000000.0" and names.param_text(None) == "None"


def test_a_folder_is_named_by_the_last_parts_of_its_path() -> None:
    assert names.set_titles(["Set5", "sample/test"]) == {"Set5": "Set5", "sample/test": "sample/test"}
    given = ["/data/a/photos", "/data/b/photos", "Set5", "/x/Set5", "~/mine", "./here/", "/"]
    assert names.set_titles(given) == {
        "Set5": "Set5",
        "/data/a/photos": "photos",
        "/data/b/photos": "b/photos",
        "/x/Set5": "x/Set5",
        "~/mine": "mine",
        "./here/": "here",
        "/": "/",
    }
    assert len(set(names.set_titles(given).values())) == len(given)
