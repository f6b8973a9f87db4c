"""Several documents in one folder: a page for each, a front page, links between them, and no file that overwrites another."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.errors import DataError
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.document.pages import page_names, write_pages

from report_parts import PNG
from report_store import Page


def document(title: str, figure: str = "curve") -> Document:
    table = Table("runs", ("run", "dB"), ((Cell(title), Cell("1.00")),))
    return Document(
        title, "", (Section("Result", (Text("said"), table)), Section("More", (Figure(figure, PNG, "c", "a"),)))
    )


def front(extension: str) -> Document:
    row = (Cell("first", link=f"one.{extension}"), Cell("2.00"))
    return Document("All", "both", (Section("Pages", (Table("pages", ("page", "dB"), (row,)),)),))


def test_every_page_leads_to_the_front_page_and_back(tmp_path: Path) -> None:
    files = write_pages({"one": document("One"), "two": document("Two")}, front, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in files[:2]] == ["index.md", "index.html"]
    assert all(path.is_file() for path in files)
    assert "[first](<one.md>)" in (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "one.html" in Page((tmp_path / "index.html").read_text(encoding="utf-8")).links
    for name in ("one", "two"):
        assert "## Result\n\n[All tables](index.md)\n\nsaid" in (tmp_path / f"{name}.md").read_text(encoding="utf-8")
        assert "index.html" in Page((tmp_path / f"{name}.html").read_text(encoding="utf-8")).links


def test_tables_and_pictures_of_one_name_have_two_files(tmp_path: Path) -> None:
    files = write_pages({"one": document("One"), "two": document("Two", "other")}, front, tmp_path)
    assert len(set(files)) == len(files)
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"curve.png", "other.png"}
    tables = tmp_path / "tables"
    assert {path.name for path in tables.glob("*.csv")} == {"pages.csv", "runs.csv", "two-runs.csv"}
    assert (tables / "runs.csv").read_text(encoding="utf-8").splitlines()[1] == "One,1.00"
    assert (tables / "two-runs.csv").read_text(encoding="utf-8").splitlines()[1] == "Two,1.00"


def test_the_front_page_may_have_another_name_and_a_page_may_be_empty(tmp_path: Path) -> None:
    write_pages({"one": Document("One", "", ())}, front, tmp_path, name="report")
    assert "[All tables](report.md)" in (tmp_path / "one.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").is_file()


def test_names_of_files() -> None:
    assert page_names(["depth-cpu", "a/b c", "depth-cpu", "index", "../x", "é"]) == [
        "depth-cpu",
        "a-b-c",
        "depth-cpu-2",
        "index-2",
        "x",
        "page",
    ]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        write_pages({"one": document("One")}, front, tmp_path / "file")
