"""Write the pages of experiments/results/paper again: HTML and the front page, from the Markdown pages and the pictures there.

    python experiments/_bench/paper_pages.py

The store that these tables were reported from is gone, so the pages themselves are kept: NAME.md, tables/NAME-*.csv and
pictures/. This command reads them back as documents and writes them as ``experiments/report.py`` would, so that a change of the
report's look or of the front page reaches them. No figure changes: a page that would not come out as it was is an error.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from srcnn.commands.command_line import run
from srcnn.errors import DataError
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.document.pages import back_link, write_pages
from srcnn.tuning.report.document.write import to_markdown
from srcnn.tuning.report.sections.front_page import front_page

__all__ = ["FRONT", "read_page", "write_again"]

FOLDER = Path(__file__).parents[1] / "results" / "paper"
FRONT = "report"  #: the front page is report.md, to which README and docs link
#: The pages, in the order of the front page: table and budget.
PAGES = (
    "scales-cpu",
    "filter_size-cpu",
    "filter_number-cpu",
    "depth-cpu",
    "training_set-cpu",
    "colour-cpu",
    "learning_rate-cpu",
    "initialization-cpu",
    "article-long",
)

_ESCAPED = re.compile(r"\\(.)")
_PICTURE = re.compile(r"!\[(.*)\]\(pictures/(.+)\.png\)")


def write_again(folder: Path = FOLDER) -> list[Path]:
    """Write the front page and all pages of a folder again, and return their paths.

    Raises:
        DataError: a page is missing, or cannot be read back as it was written.
    """
    pages = {}
    for name in PAGES:
        path = folder / f"{name}.md"
        if not path.is_file():
            raise DataError(f"{path}: does not exist")
        pages[name] = read_page(path)
    return write_pages(pages, partial(front_page, pages), folder, name=FRONT)


def read_page(path: Path) -> Document:
    """Read a page that `srcnn.tuning.report.document.pages` wrote, with its tables and pictures, as a document.

    Raises:
        DataError: the page is not as it was written.
    """
    text = path.read_text(encoding="utf-8")
    blocks = iter(text.rstrip("\n").split("\n\n"))
    title, subtitle = _plain(next(blocks).removeprefix("# ")), _plain(next(blocks))
    sections: list[tuple[str, list[Text | Table | Figure]]] = []
    known = _tables(path)
    link = back_link(f"{FRONT}.md")
    for block in blocks:
        if block.startswith("## "):
            sections.append((_plain(block.removeprefix("## ")), []))
        elif block == link:
            continue
        elif block.startswith("| "):
            sections[-1][1].append(_table(block, _plain(next(blocks)), known, path))
        elif found := _PICTURE.fullmatch(block):
            png = (path.parent / "pictures" / f"{found[2]}.png").read_bytes()
            sections[-1][1].append(Figure(found[2], png, _plain(next(blocks)), _plain(found[1])))
        else:
            sections[-1][1].append(Text(block))
    document = Document(title, subtitle, tuple(Section(name, tuple(parts)) for name, parts in sections))
    if to_markdown(document) != text.replace(f"{link}\n\n", "", 1):
        raise DataError(f"{path}: cannot be read back as it was written")
    return document


def _plain(markdown: str) -> str:
    """Return a text without the escapes of `srcnn.tuning.report.document.escape.markdown`."""
    return _ESCAPED.sub(r"\1", markdown).replace("&amp;", "&")


def _tables(path: Path) -> dict[str, list[list[str]]]:
    """Return the rows of the CSV files that belong to a page, heads first, by name."""
    found = {}
    for file in sorted((path.parent / "tables").glob(f"{path.stem}-*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            found[file.stem] = list(csv.reader(lines))
    return found


def _table(block: str, caption: str, known: dict[str, list[list[str]]], path: Path) -> Table:
    """Return a table of Markdown under the name of the CSV file that begins with the same rows, which is taken from ``known``."""
    lines = block.split("\n")
    head, rows = list(_cells(lines[0])), [list(_cells(line)) for line in lines[2:]]
    heads, shown = [cell.text for cell in head], [[cell.text for cell in row] for row in rows]
    name = next((name for name, found in known.items() if [heads, *shown] == found[: len(shown) + 1]), None)
    if name is None:
        raise DataError(f"{path}: no file of tables/ has the rows of the table {' | '.join(heads)}")
    rest = known.pop(name)[len(shown) + 1 :]
    every = [*map(tuple, rows), *(tuple(map(Cell, row)) for row in rest)]
    left = lines[1].count(":--")
    return Table(name, tuple(heads), tuple(every), caption, shown=len(shown) if rest else None, left=left)


def _cells(line: str) -> Iterator[Cell]:
    for text in re.split(r"(?<!\\) ?\| ?", line.strip())[1:-1]:
        bold = text.startswith("**") and text.endswith("**")
        yield Cell(_plain(text[2:-2] if bold else text), bold=bold)


def _main(argv: Sequence[str]) -> int:
    files = write_again(*map(Path, argv[:1]))
    print(f"{files[0]} and {len(files) - 1} other files written")
    return 0


if __name__ == "__main__":
    sys.exit(run(lambda: _main(sys.argv[1:]), "interrupted"))
