"""Writing of a `Document` to files: Markdown, one HTML page, a PNG for each picture, and CSV and LaTeX for each table.

The files in the folder are::

    report.md           Markdown, with the pictures of pictures/
    report.html         self-contained HTML page
    pictures/NAME.png   figures, and the pictures NAME-KEY.png of comparisons
    tables/NAME.csv     all rows, formatted as on the page
    tables/NAME.tex     LaTeX float with booktabs rules, for \\input
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from srcnn.errors import DataError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Comparison, Document, Figure, Table, Text
from srcnn.tuning.report.document.page import to_html

__all__ = ["beside", "to_csv", "to_latex", "to_markdown", "write", "write_files"]


def write(document: Document, folder: Path) -> list[Path]:
    """Write the files of a report to a folder, which is created if necessary. Existing files are replaced.

    Returns:
        The paths of the files, ``report.md`` and ``report.html`` first.

    Raises:
        DataError: a file cannot be written.
    """
    pages = {"report.md": to_markdown(document).encode(), "report.html": to_html(document).encode()}
    return write_files(pages | beside(document), folder)


def beside(document: Document) -> dict[str, bytes]:
    """Return the pictures and tables of a document, by the place of their file in the folder of a report."""
    contents = {f"pictures/{figure.name}.png": figure.png for figure in document.figures}
    for comparison in document.comparisons:
        for key, shot in comparison.shots.items():
            contents[f"pictures/{comparison.name}-{key}.png"] = shot.png
    for table in document.tables:
        contents[f"tables/{table.name}.csv"] = to_csv(table).encode()
        contents[f"tables/{table.name}.tex"] = to_latex(table).encode()
    return contents


def write_files(contents: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write files by their place in a folder, each whole or not at all, and return their paths in the same order.

    Raises:
        DataError: a file cannot be written.
    """
    for place, content in contents.items():
        path = folder / place
        try:
            with atomic_write(path) as file:
                file.write_bytes(content)
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror})") from None
    return [folder / place for place in contents]


def to_markdown(document: Document) -> str:
    """Return a document as Markdown with tables, and links to the picture files."""
    blocks = [f"# {escape.markdown(document.title)}", escape.markdown(document.subtitle)]
    for section in document.sections:
        blocks.append(f"## {escape.markdown(section.title)}")
        for part in section.parts:
            if isinstance(part, Text):
                blocks.append(part.markdown.strip())
            elif isinstance(part, Table):
                blocks += _markdown_table(part)
            elif isinstance(part, Comparison):
                blocks += _markdown_comparison(part)
            else:
                blocks += _markdown_figure(part)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _markdown_figure(figure: Figure) -> list[str]:
    return [f"![{escape.markdown(figure.alt)}](pictures/{figure.name}.png)", escape.markdown(figure.caption)]


def _markdown_comparison(comparison: Comparison) -> list[str]:
    labels, alt = [escape.markdown(shot.label) for shot in comparison.shots.values()], escape.markdown(comparison.alt)
    pictures = [
        f"![{alt} {label}](pictures/{comparison.name}-{key}.png)"
        for key, label in zip(comparison.shots, labels, strict=True)
    ]
    rows = [labels, [":-:"] * len(labels), pictures]
    return ["\n".join(f"| {' | '.join(row)} |" for row in rows), escape.markdown(comparison.caption)]


def _markdown_cell(cell: Cell) -> str:
    text, link = escape.markdown(cell.text), escape.safe_link(cell.link)
    if cell.bold and text:
        text = f"**{text}**"
    # Angle brackets around the address, and bars encoded: otherwise they would end the link or the cell.
    return text if link is None else f"[{text}](<{link.replace('|', '%7C')}>)"


def _markdown_table(table: Table) -> list[str]:
    lines = [
        f"| {' | '.join(map(escape.markdown, table.head))} |",
        f"| {' | '.join([':--'] * table.left + ['--:'] * (len(table.head) - table.left))} |",
        *(f"| {' | '.join(map(_markdown_cell, row))} |" for row in table.rows[: table.shown]),
    ]
    return ["\n".join(lines), escape.markdown(table.caption)]


def to_csv(table: Table) -> str:
    """Return all rows of a table as CSV, without links."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.head)
    writer.writerows([cell.text for cell in row] for row in table.rows)
    return text.getvalue()


def _latex_cell(cell: Cell) -> str:
    return rf"\textbf{{{escape.latex(cell.text)}}}" if cell.bold else escape.latex(cell.text)


def to_latex(table: Table) -> str:
    """Return the rows shown on a page as a LaTeX float, which needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        *([rf"  \caption{{{escape.latex(table.caption)}}}"] if table.caption else []),
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{'l' * table.left}{'r' * (len(table.head) - table.left)}}}",
        r"    \toprule",
        rf"    {' & '.join(map(escape.latex, table.head))} \\",
        r"    \midrule",
        # Empty braces, because a bracket at the start of a row would be parsed as the optional argument of \\.
        *(rf"    {{}}{' & '.join(map(_latex_cell, row))} \\" for row in table.rows[: table.shown]),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
