"""Runs are found by their tags and read by their names; real MLflow stores."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.tracking.reader import (
    artifact_file,
    artifact_folder,
    artifact_text,
    children_of,
    fields_of,
    kept_space,
    open_store,
    parent_named,
    parent_runs,
    values_of,
)
from srcnn.tuning.tracking.tracker import Tracker

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
constants: {scale: 3}
"""
DATASET = {"name": "T91", "digest": "abc", "images": "9"}


@pytest.fixture
def tracker(tmp_path: Path, empty: Path) -> Tracker:
    shutil.copy(empty, tmp_path)
    made = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    made.open_search("mine", {}, {"space": str(tmp_path / "space.yaml")})
    return made


def test_parents_and_their_trials(tracker: Tracker) -> None:
    tracker.start_trial("a", "a", {"n1": 8}, {}, DATASET)
    client = open_store(tracker.uri)
    parent = parent_named(parent_runs(client), "mine", tracker.uri)
    assert parent.info.run_id == tracker.parent_id
    assert [run.data.tags["srcnn.trial"] for run in children_of(client, parent)] == ["a"]
    with pytest.raises(SearchError, match="search 'mien' does not exist; did you mean 'mine'"):
        parent_named(parent_runs(client), "mien", tracker.uri)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="tracking-uri: there is no store at"):
        open_store(f"sqlite:///{tmp_path / 'none.db'}")
    assert not list(tmp_path.iterdir())


def test_artifacts_that_are_there_and_that_are_not(tracker: Tracker, tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    file.write_text("weights", encoding="utf-8")
    tracker.log_file(None, file, "checkpoint")
    tracker.log_text("{}", "verdicts.json")
    client = MlflowClient(tracker.uri)
    parent = client.get_run(tracker.parent_id)
    assert artifact_text(client, parent, "verdicts.json") == "{}"
    assert artifact_text(client, parent, "none.json") is None
    found = artifact_file(client, tracker.parent_id, "checkpoint/network.safetensors", tmp_path)
    assert found is not None and found.read_text(encoding="utf-8") == "weights"
    assert artifact_file(client, tracker.parent_id, "elsewhere/network.safetensors", tmp_path) is None


def test_an_artifact_is_bounded_before_it_is_downloaded(tracker: Tracker, tmp_path: Path) -> None:
    """A store that anybody can write to may hold a file of a terabyte, a folder or a device under the name of a network."""
    file, target = tmp_path / "network.safetensors", tmp_path / "target"
    file.write_text("weights", encoding="utf-8")
    tracker.log_file(None, file, "checkpoint")
    tracker.log_text("{}", "verdicts.json")
    client, run_id = MlflowClient(tracker.uri), tracker.parent_id
    parent = client.get_run(run_id)
    target.mkdir()
    (kept,) = (tmp_path / "artifacts").rglob("network.safetensors")

    def refused(said: str) -> None:
        with pytest.raises(SearchError, match=f"^artifact checkpoint/network.safetensors of run {run_id}: {said}$"):
            artifact_file(client, run_id, "checkpoint/network.safetensors", target)
        assert not list(target.rglob("*.safetensors"))

    os.truncate(kept, 1 << 40)
    refused("must have at least one byte and at most 256 MiB, but has 1024 GiB")
    assert artifact_folder(client, run_id, "checkpoint", target, 1 << 20, 9) is None
    kept.unlink()
    os.mkfifo(kept)
    refused("must have at least one byte and at most 256 MiB, but has none")
    assert artifact_folder(client, run_id, "checkpoint", target, 1 << 20, 9) is None
    kept.unlink()
    kept.mkdir()
    refused("must be a file, but is a folder")
    assert artifact_folder(client, run_id, "checkpoint", target, 1 << 20, 9) is None
    (text,) = (tmp_path / "artifacts").rglob("verdicts.json")
    os.truncate(text, (8 << 20) + 1)
    with pytest.raises(SearchError, match=r"verdicts\.json of run .* at most 8 MiB, but has"):
        artifact_text(client, parent, "verdicts.json")


def test_the_space_that_was_kept_comes_before_the_file(tracker: Tracker, tmp_path: Path) -> None:
    client = MlflowClient(tracker.uri)
    parent = client.get_run(tracker.parent_id)
    with pytest.raises(ConfigError):
        kept_space(client, parent)
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    assert list(kept_space(client, parent).parameters) == ["n1", "learning_rate"]
    tracker.log_text(SPACE.replace("n1", "n2"), "space.yaml")
    space = kept_space(client, parent)
    assert list(space.parameters) == ["n2", "learning_rate"]
    assert values_of(space, {"n2": "16", "learning_rate": "0.0005", "seed": "1"}) == {
        "n2": 16,
        "learning_rate": 0.0005,
    }


def test_all_fields_of_a_trial_of_this_version_and_of_earlier_ones(tracker: Tracker) -> None:
    tracker.start_trial("new", "new", {"n1": 8, "scale": 3}, {}, DATASET, {"patch_size": "33", "clip": "None"})
    tracker.start_trial("old", "old", {"n1": 8, "scale": 3, "patch_size": 33}, {}, DATASET)
    client = open_store(tracker.uri)
    runs = {run.info.run_name: run for run in children_of(client, client.get_run(tracker.parent_id))}
    new, old = (fields_of(runs[name].data.params, runs[name].data.tags) for name in ("new", "old"))
    assert runs["new"].data.params == {"n1": "8", "scale": "3"}
    assert new == {"n1": "8", "scale": "3", "patch_size": "33", "clip": "None"}
    assert old == {"n1": "8", "scale": "3", "patch_size": "33"}
    assert fields_of({"a": "1"}, {"srcnn.fields": "damaged"}) == {"a": "1"}
    assert artifact_text(client, runs["new"], "config.yaml") == 'clip: "None"\nn1: "8"\npatch_size: "33"\nscale: "3"\n'
