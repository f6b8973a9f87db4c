"""Networks out of runs' artifacts and out of the authors' files; one that is not there is None."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.data.known_sets import data_root
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import official_file
from srcnn.model.weights_file import save_network
from srcnn.tuning.report.data.kept_network import authors_network, best_run, kept_network
from srcnn.tuning.report.data.table_data import TableData, Trained
from srcnn.tuning.tracking.tracker import Tracker

from report_parts import table_data, trained

METRIC = "Set5/x3/psnr"
DATASET = {"name": "T91", "digest": "abc", "images": "9"}


def test_the_best_run_is_the_one_that_did_best_on_validation_not_on_the_test_set() -> None:
    lucky = trained("9-1-5", 0, 33.0, curve=((1e6, 1.0), (2e6, 1.1)))
    best = trained("9-1-5", 1, 32.0, curve=((1e6, 1.5), (2e6, 1.0)))  # at its first epoch, whose network was kept
    silent = trained("9-1-5", 2, 34.0, curve=())
    data = table_data([lucky, best, silent])
    assert best_run(data, "9-1-5", "ours", METRIC) is best
    assert best_run(data, "9-3-5", "ours", METRIC) is None
    assert best_run(table_data([silent]), "9-1-5", "ours", METRIC) is silent


NETWORK = SRCNN(ModelConfig(kernels=(5, 1, 3), filters=(4, 4), scale=3))


def whole(file: Path) -> None:
    save_network(file, NETWORK.state_dict(), NETWORK.config)


def torn(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"half a file")


@pytest.fixture
def stored(tmp_path: Path, empty: Path) -> Callable[[Callable[[Path], None] | None], tuple[TableData, Trained]]:
    shutil.copy(empty, tmp_path)

    def make(write: Callable[[Path], None] | None) -> tuple[TableData, Trained]:
        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        tracker = Tracker(uri, tmp_path / "artifacts")
        tracker.open_search("t", {}, {})
        tracker.start_trial("a", "a", {}, {}, DATASET)
        if write is not None:
            file = tmp_path / "trial" / "network.safetensors"
            write(file)
            tracker.log_file("a", file, "checkpoint")
        one = replace(trained("9-1-5", 0, 32.0), run_id=tracker.run_of("a"))
        return replace(table_data([one]), uri=uri), one

    return make


def test_a_runs_network_is_the_one_that_it_kept(
    stored: Callable[[Callable[[Path], None] | None], tuple[TableData, Trained]],
) -> None:
    found = kept_network(*stored(whole))
    assert found is not None
    assert found.config == NETWORK.config
    for name, weights in NETWORK.state_dict().items():
        assert torch.equal(found.state_dict()[name], weights), name


@pytest.mark.parametrize("write", [None, torn])
def test_a_network_that_is_lost_or_torn_is_none(
    stored: Callable[[Callable[[Path], None] | None], tuple[TableData, Trained]], write: Callable[[Path], None] | None
) -> None:
    assert kept_network(*stored(write)) is None


def test_rows_of_which_the_authors_published_no_network_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "data"))
    assert authors_network(None, 3) is None
    assert authors_network("9-1-5(ImageNet)", 3) is None  # nobody has fetched it


def test_the_authors_network_is_read_where_it_was_fetched() -> None:
    if official_file("9-5-5(ImageNet)", 3, data_root()) is None:
        pytest.skip("the authors' weights are not on disk")
    found = authors_network("9-5-5(ImageNet)", 3)
    assert found is not None
    assert (found.config.kernels, found.config.filters, found.config.scale) == ((9, 5, 5), (64, 32), 3)
