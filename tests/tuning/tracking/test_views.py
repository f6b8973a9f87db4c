"""Views are tags of the experiment that MLflow's pages open; real MLflow stores. `test_views_browser` opens them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.adapters.mlflow_internals import SHARED_VIEW, unpacked_view
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking import views
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.tracking.view_states import trials_state

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  n2: {type: categorical, choices: [8]}
  batch_size: {type: int, low: 8, high: 8}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
  scale: {type: categorical, choices: [2, 3]}
"""


@pytest.fixture
def tracker(tmp_path: Path, empty: Path) -> Tracker:
    shutil.copy(empty, tmp_path)
    made = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    made.open_search("mine", {}, {})
    return made


def save(tracker: Tracker, params: tuple[str, ...] = ("n1", "learning_rate"), scales: tuple[int, ...] = (2, 3)) -> None:
    views.save_views(
        tracker.client,
        tracker.experiment_id,
        "mine",
        tracker.parent_id,
        params=params,
        scales=scales,
        created=tracker.started,
    )


def tags(tracker: Tracker) -> dict[str, str]:
    found = tracker.client.get_experiment(tracker.experiment_id).tags
    return {key.removeprefix(SHARED_VIEW): text for key, text in found.items() if key.startswith(SHARED_VIEW)}


def test_only_parameters_that_can_differ_vary(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    assert views.varying(load_space(tmp_path / "space.yaml")) == ["n1", "kernels", "learning_rate"]


def test_a_search_writes_three_views_and_writing_them_again_changes_nothing(tracker: Tracker) -> None:
    save(tracker)
    first = tags(tracker)
    assert first.keys() == {"mine-trials", "mine-confirmations", "srcnn-searches"}
    save(tracker)
    assert tags(tracker) == first
    save(tracker, params=("n1",))
    assert {key for key, text in tags(tracker).items() if text != first[key]} == {"mine-trials", "mine-confirmations"}
    assert all(len(text) < 5000 for text in tags(tracker).values())  # MLflow's limit for a tag of an experiment
    state = trials_state(tracker.parent_id, ("n1",), (2, 3))
    assert unpacked_view(tags(tracker)["mine-trials"]) == json.loads(json.dumps(state))


def test_views_of_old_searches_go_and_views_of_people_stay(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_MOST_VIEWS", 3)
    for key, created in (("old-trials", 1), ("older-trials", 0), ("newer-confirmations", tracker.started + 1)):
        text = json.dumps({"name": key, "createdAt": created, "state": ""})
        tracker.client.set_experiment_tag(tracker.experiment_id, f"{SHARED_VIEW}{key}", text)
    tracker.client.set_experiment_tag(tracker.experiment_id, f"{SHARED_VIEW}2c4f", "{}")  # shared by a person
    save(tracker)
    assert tags(tracker).keys() == {
        *("mine-trials", "mine-confirmations", "srcnn-searches"),
        *("newer-confirmations", "2c4f"),
    }


def test_the_address_opens_the_view_or_a_plain_table(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = views.address(tracker.uri, "mine")
    start = f"http://127.0.0.1:5000/#/experiments/{tracker.experiment_id}/runs?workflowType=machine_learning"
    assert plain.startswith(f"{start}&searchFilter=tags.%60mlflow.parentRunId%60%20%3D%20%27{tracker.parent_id}")
    assert plain.endswith("&orderByKey=metrics.%60best%2Fval_gain%60&orderByAsc=false")
    save(tracker)
    monkeypatch.setattr("mlflow.__version__", "3.17.2")  # whose pages open shared views; older ones get the plain table
    shared = views.address(tracker.uri, "mine", ui="http://there:1/")
    assert shared == (
        f"http://there:1/#/experiments/{tracker.experiment_id}/runs?workflowType=machine_learning"
        "&compareRunsMode=CHART&viewStateShareKey=mine-trials"
    )
    assert views.address(tracker.uri, "mine", view="searches").endswith("viewStateShareKey=srcnn-searches")
    monkeypatch.setattr("mlflow.__version__", "3.18.0")  # whose pages nobody has tried
    assert views.address(tracker.uri, "mine") == plain


def test_what_there_is_not_is_said(tracker: Tracker, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="view 'trial' does not exist; did you mean 'trials'"):
        views.address(tracker.uri, "mine", view="trial")
    with pytest.raises(SearchError, match="search 'mien' does not exist"):
        views.address(tracker.uri, "mien")
    assert views.newest_address(f"sqlite:///{tmp_path / 'none.db'}") == views.UI


def test_the_newest_search_is_the_one_that_is_shown(tracker: Tracker) -> None:
    assert tracker.parent_id in views.newest_address(tracker.uri)
    save(tracker)
    assert views.newest_address(tracker.uri) == views.address(tracker.uri, "mine")


def test_a_store_that_refuses_views_is_a_warning(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    class Refusing(MlflowClient):  # type: ignore[misc]
        def set_experiment_tag(self, experiment_id: str, key: str, value: object) -> None:
            raise MlflowException("read-only")

    views.save_views(
        Refusing(tracker.uri), tracker.experiment_id, "mine", tracker.parent_id, params=(), scales=(3,), created=0
    )
    assert "plain table of the search, not its view: read-only" in caplog.text
    assert not tags(tracker)


def test_a_run_of_a_table_has_a_plain_table_of_its_trainings(tracker: Tracker) -> None:
    table = Tracker(tracker.uri)
    table.open_search("filters", {"srcnn.kind": "table"}, {})
    address = views.address(tracker.uri, "filters")
    assert f"{table.parent_id}%27&orderByKey" in address and "stage" not in address
    assert tracker.parent_id in views.newest_address(tracker.uri)  # the newest search
