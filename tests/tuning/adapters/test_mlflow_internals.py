"""What is not public in MLflow is still there."""

from __future__ import annotations

import inspect
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking._tracking_service.client import TrackingServiceClient

from srcnn.tuning.adapters.mlflow_internals import (
    SHARED_VIEW,
    TRAINING_EXPERIMENT,
    artifact_address,
    columns_of_runs,
    forget_place,
    packed_view,
    reconnect,
    run_address,
    runs_address,
    shows_views,
    unpacked_view,
)


def pages() -> str:
    """The scripts of MLflow's pages."""
    folder = Path(mlflow.__file__).parent / "server" / "js" / "build"
    if not folder.is_dir():
        pytest.skip("this MLflow comes without its pages")
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in folder.rglob("*.js"))


def test_mlflow_experiment_kind_and_its_value_are_known_to_the_pages() -> None:
    scripts = pages()
    for name, value in TRAINING_EXPERIMENT.items():
        assert name in scripts
        assert value in scripts


def test_the_address_of_a_run_is_the_one_that_mlflow_prints() -> None:
    printed = inspect.getsource(TrackingServiceClient._log_url)
    assert 'f"{host_url}/#/experiments/{experiment_id}"' in printed
    assert 'f"{experiment_url}/runs/{run_id}"' in printed
    address = run_address("http://127.0.0.1:5000", "1", "ab")
    assert address == "http://127.0.0.1:5000/#/experiments/1/runs/ab?workflowType=machine_learning"


def test_the_pages_know_the_words_of_views_and_addresses() -> None:
    scripts = pages()
    if not shows_views(mlflow.__version__):
        pytest.skip("views are used with MLflow 3.17 only")
    for word in (SHARED_VIEW, "viewStateShareKey", "compareRunsMode", "workflowType", "machine_learning", "deflate;"):
        assert f'"{word}"' in scripts, word
    for word in (
        "compareRunCharts",
        "compareRunSections",
        "selectedColumns",
        "useGroupedValuesInCharts",
        "groupByKeys",
    ):
        assert word in scripts, word


def test_a_view_is_packed_and_unpacked() -> None:
    state = {"orderByAsc": False, "selectedColumns": ["params.`n1`"] * 40}
    text = packed_view("mine", state, 5)
    assert text == packed_view("mine", state, 5) and unpacked_view(text) == state
    assert text.startswith('{"name": "mine", "createdAt": 5, "updatedAt": 5, "state": "deflate;')
    assert [shows_views(version) for version in ("3.17.2", "3.16.9", "3.18.0", "")] == [True, False, False, False]


def test_addresses_of_runs_and_artifacts() -> None:
    start = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
    assert runs_address("http://127.0.0.1:5000", "1") == start
    view = runs_address("http://127.0.0.1:5000", "1", view="a b", query="ignored", order="ignored")
    assert view == f"{start}&compareRunsMode=CHART&viewStateShareKey=a%20b"
    table = runs_address("http://127.0.0.1:5000", "1", query="tags.`a` = 'b'", order="metrics.`m`")
    assert table == f"{start}&searchFilter=tags.%60a%60%20%3D%20%27b%27&orderByKey=metrics.%60m%60&orderByAsc=false"
    assert artifact_address("ab", "pictures/x3/a b.png") == "get-artifact?path=pictures/x3/a%20b.png&run_uuid=ab"


def test_columns_of_runs_are_those_of_the_client(tmp_path: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.create_experiment("x", artifact_location=(tmp_path / "artifacts").as_uri())
    runs = [client.create_run(experiment, tags={"stage": stage, "t": stage * 2}).info.run_id for stage in "aabc"]
    for place, run_id in enumerate(runs):
        client.log_param(run_id, "p", place)
        client.log_param(run_id, "q", 1)
        for step in range(3):
            client.log_metric(run_id, "m", place + step, step=step)
    client.delete_run(runs[1])

    def read(client: mlflow.MlflowClient) -> object:
        return columns_of_runs(client, experiment, ("stage", "a"), params=("p",), tags=("t", "none"), metrics=("m",))

    assert read(client) == {runs[0]: ({"p": "0"}, {"t": "aa"}, {"m": 2.0})}
    (seen,) = client.search_runs([experiment], "tags.stage = 'a'")
    assert (seen.info.run_id, seen.data.metrics["m"]) == (runs[0], 2.0)
    assert read(mlflow.MlflowClient("http://127.0.0.1:9")) is None


def test_a_client_whose_database_was_replaced_works_again_after_a_reconnection(tmp_path: Path, empty: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copy(empty, file)
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    client.create_experiment("before")
    shutil.copy(file, tmp_path / "copy.db")
    os.replace(tmp_path / "copy.db", file)
    with pytest.raises(MlflowException, match="readonly database"):
        client.create_experiment("after")
    reconnect(client)
    client.create_experiment("after")
    assert {one.name for one in client.search_experiments()} == {"Default", "before", "after"}
    reconnect(mlflow.MlflowClient("http://127.0.0.1:9"))  # nothing to do


def test_the_place_of_a_runs_artifacts_is_asked_again_after_it_was_forgotten(tmp_path: Path, empty: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copy(empty, file)
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    experiment = client.create_experiment("a", artifact_location=(tmp_path / "first").as_uri())
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "one", "a.txt")
    moved = (tmp_path / "second").as_uri()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", (moved,))
        connection.commit()
    client.log_text(run_id, "two", "a.txt")
    assert not (tmp_path / "second").exists()  # MLflow has kept the first place
    forget_place(run_id)
    forget_place("a run that it does not know")
    client.log_text(run_id, "three", "a.txt")
    assert (tmp_path / "second" / "a.txt").read_text(encoding="utf-8") == "three"
