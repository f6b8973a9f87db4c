"""Networks from a real store: champions, versions, runs, and one line for everything that is not there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from srcnn.champions.start import file_start, named_start
from srcnn.errors import ConfigError, SearchError
from srcnn.model.network import SRCNN
from srcnn.model.weights_digest import weights_digest
from srcnn.model.weights_file import save_network
from srcnn.tuning.tracking.registry import network_of_run, read_start, read_version, registered_network, version_at

from lying_store import lying_store
from small_network import small_network


class Store:
    """A store with two versions of srcnn-x3, the first of which holds the title, and one of srcnn-x2 without a title."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.client = MlflowClient(self.uri)
        self.experiment = self.client.create_experiment("srcnn", artifact_location=(folder / "artifacts").as_uri())
        self.first, self.second, self.double = (
            small_network(scale=s, filters=f) for s, f in ((3, (4, 4)), (3, (6, 4)), (2, (4, 4)))
        )
        self.runs = [self.run(network, folder) for network in (self.first, self.second, self.double)]
        for name, run_id in zip(("srcnn-x3", "srcnn-x3", "srcnn-x2"), self.runs, strict=True):
            if name not in [model.name for model in self.client.search_registered_models()]:
                self.client.create_registered_model(name)
            uri = self.client.get_run(run_id).info.artifact_uri
            self.client.create_model_version(name, f"{uri}/checkpoint", run_id)
        self.client.set_registered_model_alias("srcnn-x3", "champion", "1")

    def run(self, network: SRCNN | None, folder: Path) -> str:
        run_id: str = self.client.create_run(self.experiment).info.run_id
        if network is not None:
            file = folder / "network.safetensors"
            save_network(file, network.state_dict(), network.config)
            self.client.log_artifact(run_id, str(file), "checkpoint")
        return run_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def same(one: SRCNN, other: SRCNN) -> bool:
    return one.config == other.config and all(
        torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_the_champion_is_the_one_with_the_title_else_the_newest(store: Store) -> None:
    assert same(registered_network(store.uri, 3), store.first)
    assert same(registered_network(store.uri, 2), store.double)
    with pytest.raises(
        SearchError, match=r"registry: .* has no champion at x4; a search with a confirmation registers one"
    ):
        registered_network(store.uri, 4)


def test_versions_by_alias_and_number(store: Store) -> None:
    assert same(version_at(store.uri, "models:/srcnn-x3@champion"), store.first)
    assert same(version_at(store.uri, "models:/srcnn-x3/2"), store.second)
    assert same(version_at(store.uri, "models:/srcnn-x3/latest"), store.second)
    assert same(network_of_run(store.uri, store.runs[2]), store.double)


def test_the_file_of_a_version_is_read_by_a_function(store: Store) -> None:
    start = read_version(store.uri, "models:/srcnn-x3/2", partial(file_start, "that"))
    assert (start.name, start.digest) == ("that", weights_digest(store.second.state_dict()))
    named = read_start(store.uri, "models:/srcnn-x3/2")
    assert (named.name, named.digest) == ("models:/srcnn-x3/2", start.digest)
    assert read_start(store.uri, "champion:3").digest == named_start("champion:3").digest


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("models:/srcnn-x5@champion", "model 'srcnn-x5' does not exist; did you mean 'srcnn-x"),
        ("models:/srcnn-x3@champoin", "alias of srcnn-x3 'champoin' does not exist; did you mean 'champion'?"),
        ("models:/srcnn-x2@champion", "model: srcnn-x2 has no alias 'champion'"),
        ("models:/srcnn-x3/7", "version of srcnn-x3 '7' does not exist; there are: 1, 2"),
    ],
)
def test_what_is_not_there_is_one_line(store: Store, address: str, words: str) -> None:
    with pytest.raises(SearchError) as caught:
        version_at(store.uri, address)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_of_another_form(store: Store) -> None:
    with pytest.raises(ConfigError, match="must be models:/NAME@ALIAS or models:/NAME/VERSION, but got 'models:/a'"):
        version_at(store.uri, "models:/a")


def test_runs_that_do_not_exist_or_have_no_network(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="no run has the id 'ffff"):
        network_of_run(store.uri, "f" * 32)
    empty = store.run(None, tmp_path)
    with pytest.raises(SearchError, match=r"has no checkpoint/network\.safetensors"):
        network_of_run(store.uri, empty)


def test_a_download_that_breaks_off_is_no_missing_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with lying_store("mlflow-artifacts:/1/ab/artifacts") as store:
        file = {"path": "network.safetensors", "is_dir": False, "file_size": 100}
        store.answers = {**store.answers, "mlflow-artifacts/artifacts": {"files": [file]}}
        store.lies = {"checkpoint/network.safetensors": "too large"}
        with pytest.raises(SearchError, match=r"^tracking-uri: \S+ cannot be read: [^\n]*download[^\n]*$"):
            network_of_run(store.uri, "ab")


def test_no_store_is_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="there is no store at"):
        registered_network(f"sqlite:///{tmp_path}/mlflow.db", 3)
    assert list(tmp_path.iterdir()) == []
