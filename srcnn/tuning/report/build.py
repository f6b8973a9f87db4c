"""Which report belongs to which parent run: `build`, and logging its folder where MLflow's pages show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlflow.entities import Run

from srcnn.errors import SearchError, unknown_name
from srcnn.tuning.report.data.search_data import gather
from srcnn.tuning.report.document.document import Document, Figure, Section, Table, Text
from srcnn.tuning.report.sections.search_report import search_document
from srcnn.tuning.report.sections.table_report import build_table
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store, reading

__all__ = ["KINDS", "build", "combine", "log_report"]


def _search(uri: str, parent: Run, ui: str) -> Document:
    return search_document(gather(uri, parent, ui))


#: What makes the report of a parent run, by the tag ``srcnn.kind`` of the run; one without the tag is a search.
KINDS: Mapping[str, Callable[[str, Run, str], Document]] = {names.KIND_SEARCH: _search, names.KIND_TABLE: build_table}


def build(uri: str, parent: Run, ui: str) -> Document:
    """The report of a parent run.

    Args:
        uri: address of the tracking store.
        parent: the run.
        ui: address of the pages of runs, where the store itself has none.

    Raises:
        SearchError: the store cannot be read, or the run is of a kind that has no report.
    """
    kind = parent.data.tags.get(names.TAG_KIND, names.KIND_SEARCH)
    if kind not in KINDS:
        raise SearchError(unknown_name("kind of report", kind, KINDS))
    return KINDS[kind](uri, parent, ui)


def combine(documents: Sequence[Document]) -> Document:
    """Several reports as one; of one, itself.

    A name that a report before it has gets the report's number, and a text that stood before is not said again.
    """
    if len(documents) == 1:
        return documents[0]
    taken: set[tuple[type, str]] = set()
    said: set[str] = set()
    sections = []
    for number, document in enumerate(documents, start=1):
        for section in document.sections:
            parts: list[Text | Table | Figure] = []
            for part in section.parts:
                if isinstance(part, Text):
                    if part.markdown in said:
                        continue
                    said.add(part.markdown)
                else:
                    if (type(part), part.name) in taken:
                        part = replace(part, name=f"{part.name}-{number}")
                    taken.add((type(part), part.name))
                parts.append(part)
            sections.append(Section(f"{document.title}: {section.title}", tuple(parts)))
    subtitle = " ".join(document.subtitle for document in documents)
    return Document(", ".join(document.title for document in documents), subtitle, tuple(sections))


def log_report(uri: str, parent: Run, folder: Path, files: Sequence[Path]) -> None:
    """Keep a report as the artifact folder ``report`` of its run.

    Args:
        uri: address of the tracking store.
        parent: the run.
        folder: folder of the report.
        files: files of the report in the folder; other files there are not logged.

    Raises:
        SearchError: the store cannot be written.
    """
    client = open_store(uri)
    with reading(uri):
        for file in files:
            place = Path(names.ARTIFACT_REPORT) / file.relative_to(folder).parent
            client.log_artifact(parent.info.run_id, str(file), place.as_posix())
