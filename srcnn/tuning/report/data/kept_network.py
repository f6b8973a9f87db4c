"""Networks for a report: from the artifacts of their runs, or the authors' networks from files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from srcnn.data.known_sets import data_root
from srcnn.errors import SRCNNError
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official, official_file
from srcnn.model.weights_file import load_network
from srcnn.tuning.report.data.table_data import TableData, Trained
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import artifact_file, open_store

__all__ = ["authors_network", "best_run", "kept_network"]


def best_run(data: TableData, row: str, recipe: str, metric: str) -> Trained | None:
    """Return the run of a cell with the highest gain on the validation images; None if none finished."""
    return max(
        data.of(row, recipe, metric), key=lambda one: max((gain for _, gain in one.curve), default=0), default=None
    )


def kept_network(data: TableData, run: Trained) -> SRCNN | None:
    """Return the network of a run from its artifacts; None if it does not exist or cannot be read."""
    client = open_store(data.uri)
    try:
        with TemporaryDirectory() as folder:
            path = artifact_file(client, run.run_id, names.ARTIFACT_NETWORK, Path(folder))
            return None if path is None else load_network(path)
    except (SRCNNError, OSError, ValueError):
        return None


def authors_network(folder: str | None, scale: int) -> SRCNN | None:
    """Return the authors' network of a row; None if its file was not downloaded."""
    path = None if folder is None else official_file(folder, scale, data_root())
    return None if path is None else load_official(path, scale)
