"""The committed pages of the paper's tables: they read back as they were written, and lead to no local host."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from srcnn.errors import DataError
from srcnn.tuning.report.document.document import Table, Text
from srcnn.tuning.report.document.escape import markdown

from _bench.paper_pages import FOLDER, FRONT, PAGES, read_page, write_again
from report_store import Page, table_rows

NAMES = PAGES


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, written again from its own pages."""
    folder = tmp_path_factory.mktemp("paper") / "paper"
    shutil.copytree(FOLDER, folder)
    write_again(folder)
    return folder


def test_markdown_tables_and_pictures_come_out_as_they_were(again: Path) -> None:
    kinds = ("*.md", "tables/*.csv", "tables/*.tex", "pictures/*.png")
    files = {path.relative_to(FOLDER) for kind in kinds for path in FOLDER.glob(kind)}
    assert {path.relative_to(again) for kind in kinds for path in again.glob(kind)} == files
    changed = [str(path) for path in sorted(files) if (again / path).read_bytes() != (FOLDER / path).read_bytes()]
    assert changed == []


def test_every_claim_of_every_page_is_on_the_front_page_with_its_verdict(again: Path) -> None:
    front = (again / f"{FRONT}.md").read_text(encoding="utf-8")
    claims = [row for name in NAMES for row in table_rows(again / "tables" / f"{name}-claims.csv")]
    rows = table_rows(again / "tables" / "claims.csv")
    assert len(rows) == len(claims)
    assert sorted(row["verdict"] for row in rows) == sorted(claim["verdict"] for claim in claims)
    assert all(f"{row['dB']} {row['95 % interval']}" in str(claims) for row in rows)
    assert {row["seeds"] for row in rows} == {"5"}
    assert front.startswith("# Claims, tested\n")
    assert all(f"](<{name}.md>)" in front for name in NAMES)
    assert all(markdown(claim["claim"]) in front for claim in claims)


@pytest.mark.parametrize("name", [FRONT, *NAMES])
def test_a_page_loads_nothing_and_leads_to_no_local_host(name: str) -> None:
    page = Page((FOLDER / f"{name}.html").read_text(encoding="utf-8"))
    assert all(load.startswith("data:") for load in page.loads)
    assert {link for link in page.links if not link.startswith("#")} <= {f"{one}.html" for one in (FRONT, *NAMES)}
    assert "127.0.0.1" not in (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def test_a_page_is_a_document_with_everything_that_it_shows() -> None:
    document = read_page(FOLDER / "depth-cpu.md")
    assert document.title == "Depth (depth-cpu)"
    runs = next(table for table in document.tables if table.name == "depth-cpu-runs")
    assert (len(runs.rows), runs.shown) == (120, 60)
    assert len(document.figures) == 5
    assert isinstance(document.sections[0].parts[0], Table)  # the link back is not part of it
    assert any(isinstance(part, Text) for part in document.sections[1].parts)


def test_a_page_that_was_edited_or_is_gone_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "paper")
    page = tmp_path / "paper" / "depth-cpu.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("32.19", "32.91"), encoding="utf-8")
    with pytest.raises(DataError, match=r"depth-cpu\.md: no file of tables/ has the rows"):
        write_again(tmp_path / "paper")
    page.write_text(text.replace("## Claims", "##  Claims"), encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read back"):
        write_again(tmp_path / "paper")
    page.unlink()
    with pytest.raises(DataError, match="does not exist"):
        write_again(tmp_path / "paper")
