"""What a search writes, and that writing it again after a kill changes nothing; real MLflow stores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from srcnn.errors import SearchError
from srcnn.tuning.adapters.mlflow_internals import reconnect
from srcnn.tuning.tracking.journal import JOURNAL_FILE
from srcnn.tuning.tracking.tracker import Tracker, flat_params, open_tracker, ui_command

from lying_store import lying_store

DATASET = {"name": "T91", "digest": "abc", "images": "9"}


@pytest.fixture
def uri(tmp_path: Path, empty: Path) -> str:
    shutil.copy(empty, tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def whole(tracker: Tracker, counts: int = 0) -> bool:
    there = tracker.open_search("s", {"device": "CPU"}, {"objectives": ("gain", "macs"), "budget": 9e6}, counts)
    tracker.start_trial("a", "x3", {"n1": 8}, {"stage": "search"}, DATASET)
    for epoch in (1, 2):
        tracker.log_epoch("a", epoch, {"objective": epoch / 10})
    tracker.log_figures("a", {"test/my (set)/x3/psnr": 32.5})
    tracker.end_trial("a", "FINISHED", {"outcome": "finished"})
    tracker.note("done")
    tracker.close_search("FINISHED")
    return there


@pytest.mark.parametrize("journal", [False, True])
def test_writing_a_search_twice_changes_nothing(tmp_path: Path, uri: str, journal: bool) -> None:
    folder = tmp_path / "state" if journal else None
    assert not whole(open_tracker(uri, folder))
    assert whole(open_tracker(uri, folder))
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    runs = {run.data.tags["srcnn.trial"]: run for run in client.search_runs([experiment.experiment_id])}
    assert runs.keys() == {"parent", "a"}
    assert runs["parent"].data.params == {"objectives": '["gain", "macs"]', "budget": "9000000.0"}
    assert runs["parent"].data.tags["mlflow.note.content"] == "done"
    assert runs["a"].data.tags["mlflow.parentRunId"] == runs["parent"].info.run_id
    assert runs["a"].data.params == {"n1": "8"} and runs["a"].data.tags["outcome"] == "finished"
    assert runs["a"].data.metrics["test/my _set_/x3/psnr"] == 32.5
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    steps = client.get_metric_history(runs["a"].info.run_id, "objective")
    assert [(metric.step, metric.value) for metric in steps] == [(1, 0.1), (2, 0.2)]


def test_delivery_at_least_once_of_a_log_whose_mark_was_lost(tmp_path: Path, uri: str) -> None:
    """Everything is sent again from the start of the log: the store stays as it was."""
    folder = tmp_path / "state"
    whole(open_tracker(uri, folder))
    length = (folder / JOURNAL_FILE).stat().st_size
    (folder / "tracking.mark").unlink()
    tracker = open_tracker(uri, folder)
    tracker.open_search("s", {}, {}, length)
    (run,) = tracker.children()
    assert len(tracker.client.get_metric_history(run.info.run_id, "objective")) == 2
    tracker.close_search("KILLED")


@pytest.mark.parametrize("kind", ["a new store", "a copy from before the trial began"])
def test_a_store_that_lost_its_runs_gets_them_again_when_the_search_is_resumed(
    tmp_path: Path, uri: str, empty: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    folder, client = tmp_path / "state", MlflowClient(uri)
    whole(open_tracker(uri, folder))
    if kind == "a new store":
        os.replace(shutil.copy(empty, tmp_path / "other.db"), tmp_path / "mlflow.db")
        reconnect(client)  # as a process that begins
    else:
        (experiment,) = (one.experiment_id for one in client.search_experiments() if one.name == "srcnn")
        (lost,) = client.search_runs([experiment], "tags.`srcnn.trial` = 'a'")
        client.delete_run(lost.info.run_id)
    tracker = open_tracker(uri, folder)
    tracker.open_search("s", {}, {})
    (run,) = tracker.children()
    assert len(client.get_metric_history(run.info.run_id, "objective")) == 2
    assert run.info.status == "FINISHED" and run.data.tags["outcome"] == "finished"
    tracker.close_search("KILLED")
    assert [one.getMessage().split(";")[0] for one in caplog.records if one.name.startswith("srcnn")] == [
        f"MLflow at {uri} has lost runs of this search"
    ]
    caplog.clear()
    tracker = open_tracker(uri, folder)
    assert tracker.open_search("s", {}, {})
    tracker.close_search("KILLED")
    assert not [one for one in caplog.records if one.name.startswith("srcnn")]  # now it has them


def test_a_search_that_was_killed_before_its_parameters_were_logged_gets_them_when_it_is_resumed(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(MlflowClient, "log_batch", dies)
        open_tracker(uri, tmp_path / "state").open_search("s", {}, {"trials": 3, "budget": 9e6})
    for trials in (4, 5):  # what is logged is not changed: parameters are immutable
        tracker = open_tracker(uri, tmp_path / "state")
        assert tracker.open_search("s", {}, {"trials": trials, "budget": 9e6})
        assert tracker.client.get_run(tracker.parent_id).data.params == {"trials": "4", "budget": "9000000.0"}
        tracker.close_search("KILLED")


def test_uncommitted_entries_never_reach_the_store(tmp_path: Path, uri: str) -> None:
    tracker = open_tracker(uri, tmp_path / "state")
    tracker.open_search("s", {}, {})
    tracker.start_trial("a", "x3", {}, {}, DATASET)
    tracker.commit()
    tracker.start_trial("b", "x3", {}, {}, DATASET)
    tracker.truncate_uncommitted()
    tracker.close_search("KILLED")
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_run(tracker.parent_id).info.experiment_id])
    found = {run.data.tags["srcnn.trial"]: run.info.status for run in runs}
    assert found == {"parent": "KILLED", "a": "KILLED"}


OPENING = ("runs/search", "runs/create", "runs/log-batch", "runs/log-inputs")  # after the question of `check_store`


@pytest.mark.parametrize(
    ("asked", "lie", "stays_open", "says"),
    [
        *((asked, "too large", False, "IncompleteRead") for asked in OPENING),
        *((asked, "too small", False, "valid JSON") for asked in OPENING),
        ("runs/search", "too large", True, "Read timed out"),
        ("runs/create", "negative", True, "Read timed out"),
        ("runs/log-batch", "no number", True, "Read timed out"),
    ],
)
def test_a_server_that_states_wrong_lengths_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, lie: str, stays_open: bool, says: str
) -> None:
    """And nobody takes the search's run for open, who would want to close it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with lying_store(tmp_path.as_uri()) as store:
        tracker = open_tracker(store.uri, tmp_path / "state")
        store.lies, store.open = {asked: lie}, stays_open
        with pytest.raises(SearchError, match=rf"^tracking-uri: {store.uri} cannot be opened: [^\n]*{says}[^\n]*$"):
            tracker.open_search("s", {}, {"trials": 3}, datasets=[{**DATASET, "context": "training"}])
        assert tracker.parent_id == ""


@pytest.mark.parametrize("lie", ["negative", "no number"])
def test_an_answer_that_is_whole_is_read_whatever_length_it_states(tmp_path: Path, lie: str) -> None:
    with lying_store(tmp_path.as_uri()) as store:
        store.lies = dict.fromkeys(OPENING, lie)
        tracker = open_tracker(store.uri, tmp_path / "state")
        assert not tracker.open_search("s", {}, {"trials": 3})
        assert tracker.parent_id == "ab"
        tracker.close_search("FINISHED")


def test_an_empty_answer_is_not_a_run(tmp_path: Path) -> None:
    with lying_store(tmp_path.as_uri()) as store:
        store.lies = {"runs/create": "zero"}
        tracker = open_tracker(store.uri, tmp_path / "state")
        with pytest.raises(SearchError, match=r"cannot be opened: the answer to the creation of a run is empty$"):
            tracker.open_search("s", {}, {})


def test_an_empty_answer_loses_no_artifact(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """MLflow takes it for a run without a place for artifacts, and keeps that."""
    with lying_store((tmp_path / "artifacts").as_uri()) as store:
        tracker = open_tracker(store.uri, tmp_path / "state")
        tracker.open_search("s", {}, {})
        store.lies = {"runs/get": "zero"}
        tracker.log_text("kept", "note.txt")
        with pytest.raises(SearchError, match=r"is unavailable .*; 1 operations are kept"):
            tracker.flush(patience=0.8)
        store.lies = {}
        tracker.flush(patience=20.0)
        tracker.close_search("FINISHED")
    assert (tmp_path / "artifacts" / "note.txt").read_text(encoding="utf-8") == "kept"
    assert [message for message in caplog.messages if "rejects" in message] == []


def test_fields_as_parameters() -> None:
    assert flat_params([("kernels", (9, 1, 5)), ("clip", None), ("scale", 3)]) == {
        "kernels": "9-1-5",
        "clip": "None",
        "scale": "3",
    }


def test_the_command_that_shows_a_store() -> None:
    assert ui_command("http://there:1") == "open http://there:1"
    assert ui_command("sqlite:///a.db").endswith("ui --backend-store-uri sqlite:///a.db")
