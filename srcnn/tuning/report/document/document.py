"""The parts of a report as frozen data: text, tables and figures in sections.

Whoever has something to report builds a `Document`, and `srcnn.tuning.report.document.write` makes the files. Nothing here knows
of searches, of MLflow or of a file format.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "Document", "Figure", "Section", "Table", "Text"]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


def _check_name(kind: str, name: str) -> None:
    if not _NAME.match(name):
        raise ValueError(f"{kind}: a name becomes a file's, of letters, digits, '.', '_' and '-', but got {name!r}")


@dataclass(frozen=True)
class Cell:
    """One cell of a table: plain text, whatever it holds."""

    text: str
    link: str | None = None  #: http address, in Markdown and HTML
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table: the first column is aligned left, the others right."""

    name: str  #: name of its files in ``tables/``, without suffix
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""  #: plain text
    shown: int | None = None  #: rows that a page shows, None: all; the CSV file has all of them

    def __post_init__(self) -> None:
        _check_name("table", self.name)
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"table {self.name}: has {len(self.head)} columns, but a row has {len(row)} cells")


@dataclass(frozen=True)
class Figure:
    """A picture, and perhaps a bokeh model of the same that HTML shows in its place."""

    name: str  #: name of its file in ``pictures/``, without suffix
    png: bytes
    caption: str  #: plain text: what is shown, n, and what else must be known to read it
    alt: str  #: alternative text for readers who cannot see the picture
    interactive: Any | None = None

    def __post_init__(self) -> None:
        _check_name("figure", self.name)


@dataclass(frozen=True)
class Text:
    """Paragraphs, bullet lists, bold, code and links in Markdown; names in it go through `escape.markdown`."""

    markdown: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    parts: tuple[Text | Table | Figure, ...]


@dataclass(frozen=True)
class Document:
    """A report. The names of its tables differ from each other, and so do those of its figures."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        for kind in (Table, Figure):
            counts = Counter(part.name for section in self.sections for part in section.parts if isinstance(part, kind))
            for name, count in counts.items():
                if count > 1:
                    raise ValueError(
                        f"{kind.__name__.lower()} {name}: stands {count} times, and each would be one file"
                    )

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Table))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All of them, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Figure))
