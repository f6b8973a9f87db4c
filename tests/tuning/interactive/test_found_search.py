"""What a search has found, read from a store that is written as a real search writes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError, SearchError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
from srcnn.tuning.interactive.found_search import FoundSearch

from report_store import Store, a_whole_search


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> FoundSearch:
    """The search of `report_store`, with a network for its winner's second judging seed."""
    store = Store(tmp_path_factory.mktemp("found"))
    shutil.copy(empty, store.folder)
    a_whole_search(store)
    search = FoundSearch.read(store.uri)
    network = SRCNN(ModelConfig(kernels=(3, 1), filters=(2,), scale=3))
    network.initialize("he", 0.1, torch.Generator().manual_seed(0))
    file = store.folder / "network.safetensors"
    save_network(file, network.state_dict(), network.config)
    MlflowClient(store.uri).log_artifact(search.best(3).run_id, str(file), "checkpoint")
    return search


def test_the_table_has_a_row_for_each_training(found: FoundSearch) -> None:
    frame = found.frame()
    assert len(frame) == 17
    assert list(frame["stage"]).count("confirm") == 2 and list(frame["stage"]).count("judge") == 2
    row = frame[frame["trial"] == "9"].iloc[0]
    assert (row["scale"], row["outcome"], row["kernels"], row["n1"]) == (3, "finished", "5-3-3", 8)
    assert row["gain"] == pytest.approx(1.39) and row["pixels"] == 3e6 and row["seconds"] == 6.0
    assert frame[frame["trial"] == "dead"].iloc[0]["failure"].startswith("DeadNetworkError")
    assert list(frame[frame["reference"]]["trial"]) == ["paper"]


def test_the_champion_is_the_winners_best_seed_by_validation(found: FoundSearch) -> None:
    assert found.scales == [3]
    assert found.best().trial_id == "c11"  # of the judging seeds 10 and 11 the one with the higher gain
    network = found.champion(3)
    assert network.config.scale == 3 and not network.training
    with pytest.raises(ConfigError, match=r"scale: must be one of those of the search whole \(3\), but got 2"):
        found.champion(2)


def test_without_a_confirmation_it_is_the_best_finished_trial(found: FoundSearch) -> None:
    from dataclasses import replace

    alone = FoundSearch(replace(found.data, verdicts=None))
    assert alone.best(3).trial_id == "9"
    with pytest.raises(SearchError, match="search whole: the store has no network of the trial 9"):
        alone.champion(3)
    nothing = FoundSearch(replace(found.data, verdicts=(), children=tuple(found.data.of_stage("search")[-1:])), True)
    with pytest.raises(SearchError, match="no trial at x3 has finished"):
        nothing.best(3)
    assert "resume=True continues it" in repr(nothing) and len(nothing.frame()) == 1
    assert nothing.plot_curves().axes and nothing.plot_parameters().axes and nothing.plot_history().axes


def test_a_notebook_shows_a_table(found: FoundSearch) -> None:
    page = found._repr_html_()
    assert page.count("<tr>") == 4 and "trial 9" in page and "+1.390" in page
    assert "search whole: 13 trials, 11 finished, 1 stopped, 1 failed" in repr(found)
    assert all(line in repr(found) for line in found.sentences)


def test_pictures(found: FoundSearch) -> None:
    for plot in (found.plot_history(), found.plot_curves(3), found.plot_parameters(3)):
        assert plot._repr_png_().startswith(b"\x89PNG")
    labels = {text.get_text() for text in found.plot_parameters().axes[0].get_xticklabels()}
    assert {axes.get_xlabel() for axes in found.plot_parameters().axes} >= {"n1", "kernels", "learning_rate"}
    assert labels <= {"8", "16"}


def test_the_report(found: FoundSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = found.report()
    assert page == Path("mlruns/reports/whole/report.html") and "trial 9" in page.read_text(encoding="utf-8")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="folder: must be a folder, but file is a file"):
        found.report("file")


def test_a_store_that_is_not_there() -> None:
    with pytest.raises(SearchError, match="there is no store at"):
        FoundSearch.read("sqlite:///nowhere.db")
