"""Every file that the documentation names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import ROOT

DOCUMENTS = sorted(
    p.relative_to(ROOT).as_posix()
    for p in (
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    )
)

_FOLDERS = r"(?:srcnn|experiments|tests|docs|search_spaces|\.github)"
#: A path from the root in text; a name in capitals or with a star stands for many files.
_PATH = re.compile(rf"(?<![\w/.-]){_FOLDERS}(?:/[\w.*-]+)+/?")
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)<?([^)#>\s]+)")


def paths_in(text: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every path that a document names, as it is written and where it leads.

    Args:
        text: the document.
        folder: of the document, which links start from.
    """
    for match in _PATH.finditer(text):
        written = match[0].rstrip("./")
        if "*" not in written and not re.search(r"/[A-Z_]+(?=[./]|$)", written):
            yield written, ROOT / written
    for match in _LINK.finditer(text):
        yield match[1], folder / match[1]


def gone(text: str, folder: Path) -> list[str]:
    return sorted({written for written, path in paths_in(text, folder) if not path.exists()})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_names_exists(document: str) -> None:
    path = ROOT / document
    assert gone(path.read_text(encoding="utf-8"), path.parent) == []


def test_paths_in_a_text() -> None:
    text = (
        "See `srcnn/errors.py`, srcnn/gone.py. `python experiments/search.py --space search_spaces/NAME.yaml` and "
        "tests/tuning/, not /srv/srcnn/code or experiments/results/soak-*.json; [a](none.md), [b](https://x.y/z.md)."
    )
    assert [written for written, _ in paths_in(text, ROOT)] == [
        "srcnn/errors.py",
        "srcnn/gone.py",
        "experiments/search.py",
        "tests/tuning",
        "none.md",
    ]
    assert gone(text, ROOT) == ["none.md", "srcnn/gone.py"]
