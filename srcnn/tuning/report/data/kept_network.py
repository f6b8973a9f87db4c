"""The networks that a report looks into: downloaded from their runs, the authors' read from their files."""

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
    """The run of a cell whose network did best on validation; None if none finished."""
    return max(
        data.of(row, recipe, metric), key=lambda one: max((gain for _, gain in one.curve), default=0), default=None
    )


def kept_network(data: TableData, run: Trained) -> SRCNN | None:
    """The network of a run, out of its artifacts; None if it is not there."""
    client = open_store(data.uri)
    try:
        with TemporaryDirectory() as folder:
            path = artifact_file(client, run.run_id, names.ARTIFACT_NETWORK, Path(folder))
            return None if path is None else load_network(path)
    except (SRCNNError, OSError, ValueError):
        return None


def authors_network(folder: str | None, scale: int) -> SRCNN | None:
    """The authors' network of a row; None if it was not downloaded."""
    path = None if folder is None else official_file(folder, scale, data_root())
    return None if path is None else load_official(path, scale)
