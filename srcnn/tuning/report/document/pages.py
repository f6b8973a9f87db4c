"""Writing of several documents to one folder: a page for each, and a front page with links to them.

The files in the folder are::

    index.md, index.html    the front page
    NAME.md, NAME.html      a page for each document, with a link back
    pictures/, tables/      as `srcnn.tuning.report.document.write` writes them, of all pages

Names of tables and pictures that an earlier page uses begin with the name of their page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from srcnn.tuning.report.document.document import Document, Part, Section, Text
from srcnn.tuning.report.document.page import to_html
from srcnn.tuning.report.document.write import beside, to_markdown, write_files

__all__ = ["FRONT", "back_link", "page_names", "write_pages"]

FRONT = "index"  #: name of the front page's files, without extension


def page_names(titles: list[str], front: str = FRONT) -> list[str]:
    """Return a file name without extension for each page, such as ``depth-cpu``; all differ, also from the front page's."""
    found: list[str] = []
    for title in titles:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.") or "page"
        name, number = plain, 1
        while name in (*found, front):
            number += 1
            name = f"{plain}-{number}"
        found.append(name)
    return found


def write_pages(
    pages: Mapping[str, Document], front: Callable[[str], Document], folder: Path, *, name: str = FRONT
) -> list[Path]:
    """Write the pages and the front page to a folder, which is created if necessary. Existing files are replaced.

    Args:
        pages: documents by the name of their files, in the order of the front page; names as from `page_names`.
        front: creates the front page, given the extension of the pages to link to: ``md`` or ``html``.
        folder: the folder.
        name: name of the front page's files.

    Returns:
        The paths of the files, the front page as Markdown and HTML first.

    Raises:
        DataError: a file cannot be written.
    """
    contents = {f"{name}.md": to_markdown(front("md")).encode(), f"{name}.html": to_html(front("html")).encode()}
    documents = [front("md")]
    for own, document in zip(pages, _apart(pages), strict=True):
        documents.append(document)
        contents[f"{own}.md"] = to_markdown(_with_link(document, f"{name}.md")).encode()
        contents[f"{own}.html"] = to_html(_with_link(document, f"{name}.html")).encode()
    for document in documents:
        contents |= beside(document)
    return write_files(contents, folder)


def back_link(address: str) -> str:
    """Return the first line of a page, in Markdown: a link to the front page."""
    return f"[All tables]({address})"


def _with_link(document: Document, address: str) -> Document:
    first = document.sections[0] if document.sections else Section("Result", ())
    linked = Section(first.title, (Text(back_link(address)), *first.parts))
    return replace(document, sections=(linked, *document.sections[1:]))


def _apart(pages: Mapping[str, Document]) -> list[Document]:
    """Return the documents with names of tables and figures that differ between all of them."""
    taken: set[tuple[type, str]] = set()
    found = []
    for own, document in pages.items():
        sections = []
        for section in document.sections:
            parts: list[Part] = []
            for part in section.parts:
                if not isinstance(part, Text):
                    if (type(part), part.name) in taken:
                        part = replace(part, name=f"{own}-{part.name}")
                    taken.add((type(part), part.name))
                parts.append(part)
            sections.append(Section(section.title, tuple(parts)))
        found.append(replace(document, sections=tuple(sections)))
    return found
