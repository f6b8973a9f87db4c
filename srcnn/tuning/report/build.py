"""Creation of the report for a parent run by its kind, and logging of the report to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mlflow.entities import Run

from srcnn.errors import SearchError, unknown_name
from srcnn.tuning.report.data.search_data import find_parent, gather
from srcnn.tuning.report.document.document import Document
from srcnn.tuning.report.document.write import write
from srcnn.tuning.report.sections.search_report import search_document
from srcnn.tuning.report.sections.table_report import build_table
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store, reading

__all__ = ["KINDS", "build", "log_report", "report_after"]


def _search(uri: str, parent: Run, ui: str) -> Document:
    return search_document(gather(uri, parent, ui))


#: Functions that create the report of a parent run, by its tag ``srcnn.kind``; a run without the tag is a search.
KINDS: Mapping[str, Callable[[str, Run, str], Document]] = {names.KIND_SEARCH: _search, names.KIND_TABLE: build_table}


def build(uri: str, parent: Run, ui: str = "") -> Document:
    """Create the report of a parent run.

    Args:
        uri: address of the tracking store.
        parent: the parent run.
        ui: address of MLflow's web pages, for links to the runs of a store that is not a server; empty: no links.

    Raises:
        SearchError: the store cannot be read, or there is no report for this kind of run.
    """
    kind = parent.data.tags.get(names.TAG_KIND, names.KIND_SEARCH)
    if kind not in KINDS:
        raise SearchError(unknown_name("kind of report", kind, KINDS))
    return KINDS[kind](uri, parent, ui)


def report_after(uri: str, name: str, folder: Path, *, log: bool = True) -> Path:
    """Write the report of a search or table that has ended, and log it. It has no links to a local MLflow.

    Args:
        uri: address of the tracking store.
        name: name of the search, or of the table's run.
        folder: folder for the files, usually ``mlruns/reports/NAME``; it is created if necessary.
        log: whether to log the files as artifacts of the run.

    Returns:
        The path of ``report.html``.

    Raises:
        SearchError: the store cannot be read or written, or there is no such search.
        DataError: a file cannot be written.
    """
    parent = find_parent(uri, name)
    files = write(build(uri, parent), folder)
    if log:
        log_report(uri, parent, folder, files)
    return folder / "report.html"


def log_report(uri: str, parent: Run, folder: Path, files: Sequence[Path]) -> None:
    """Log a report as the artifact folder ``report`` of its run.

    Args:
        uri: address of the tracking store.
        parent: the parent run.
        folder: folder of the report.
        files: files of the report, in the folder; other files in the folder are not logged.

    Raises:
        SearchError: the store cannot be written.
    """
    client = open_store(uri)
    with reading(uri):
        for file in files:
            place = Path(names.ARTIFACT_REPORT) / file.relative_to(folder).parent
            client.log_artifact(parent.info.run_id, str(file), place.as_posix())
