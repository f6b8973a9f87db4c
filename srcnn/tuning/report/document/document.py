"""Data model of a report: sections with texts, tables, figures and comparisons of pictures, as immutable data.

`srcnn.tuning.report.document.write` writes the files of a `Document`. Nothing here depends on searches, MLflow or file formats.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "Comparison", "Document", "Figure", "Part", "Section", "Shot", "Table", "Text"]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


def _check_name(kind: str, name: str) -> None:
    if not _NAME.match(name):
        raise ValueError(f"{kind}: the name must consist of letters, digits, '.', '_' and '-', but got {name!r}")


@dataclass(frozen=True)
class Cell:
    """Cell of a table, with plain text."""

    text: str
    link: str | None = None  #: HTTP address for Markdown and HTML
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """Table; the first columns are left-aligned, as they have words, the others are right-aligned."""

    name: str  #: name of its files in ``tables/``, without extension
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""  #: plain text
    shown: int | None = None  #: number of rows on a page; None: all rows; the CSV file always has all rows
    left: int = 1  #: number of left-aligned columns
    fold: str = ""  #: plain text of the line that opens the table in HTML; empty: the table is always open

    def __post_init__(self) -> None:
        _check_name("table", self.name)
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"table {self.name}: has {len(self.head)} columns, but a row has {len(row)} cells")


@dataclass(frozen=True)
class Figure:
    """Picture, optionally with a bokeh model that HTML shows instead."""

    name: str  #: name of its file in ``pictures/``, without extension
    png: bytes
    caption: str  #: plain text: content, number of samples, and other information needed to interpret the figure
    alt: str  #: description of the picture for readers who cannot see it
    interactive: Any | None = None  #: bokeh model
    half: bool = False  #: whether two stand beside each other on a wide page
    tall: bool = False  #: whether a half figure is as high as two others, which then stand beside it

    def __post_init__(self) -> None:
        _check_name("figure", self.name)


@dataclass(frozen=True)
class Shot:
    """One picture of a comparison."""

    label: str  #: short plain text: what made the picture, with its figure
    png: bytes


@dataclass(frozen=True)
class Comparison:
    """Pictures of the same thing and size, which HTML lays on each other with a slider; elsewhere they stand side by side."""

    name: str  #: beginning of the names of its files in ``pictures/``
    shots: Mapping[str, Shot]  #: pictures by a word for the name of the file; at least two
    caption: str  #: plain text
    alt: str  #: description for readers who cannot see it; the label of the picture is added
    width: int  #: of every picture, in pixels
    left: str  #: key of the picture that the slider shows on the left at first
    right: str  #: likewise on the right

    def __post_init__(self) -> None:
        _check_name("comparison", self.name)
        if len(self.shots) < 2 or not {self.left, self.right} <= set(self.shots):
            raise ValueError(f"comparison {self.name}: must have {self.left}, {self.right}, but got {list(self.shots)}")


@dataclass(frozen=True)
class Text:
    """Text in Markdown: paragraphs, bullet lists, bold, code, blocks of code, and links.

    Names in it must be escaped by `escape.markdown`.
    """

    markdown: str


#: Part of a section.
Part = Text | Table | Figure | Comparison


@dataclass(frozen=True)
class Section:
    """Heading with its content."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Document:
    """Report. The names of its tables must be unique, and so must those of its figures and of its comparisons."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]

    def __post_init__(self) -> None:
        for kind in (Table, Figure, Comparison):
            counts = Counter(part.name for section in self.sections for part in section.parts if isinstance(part, kind))
            for name, count in counts.items():
                if count > 1:
                    raise ValueError(
                        f"{kind.__name__.lower()} {name}: the name must be unique, but occurs {count} times"
                    )

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Table))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Figure))

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All comparisons, in order."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Comparison))
