"""Names from files and people are shown as they are, in every format."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text
from srcnn.tuning.report.document.write import to_markdown, write
from srcnn.tuning.report.figures.style import new_figure, to_png

from report_store import Page

HOSTILE = r"a|b_c <script>alert('x')</script> & 50% #1 $x$ `y` **z** ![p](http://h/p.png) \ end"


def hostile() -> Document:
    table = Table("t", ("a_b", "50 %"), ((Cell(HOSTILE), Cell("1", "javascript:alert(1)", True)),), HOSTILE)
    figure = Figure("f", to_png(new_figure(1.0)), HOSTILE, HOSTILE)
    text = Text(f"- {escape.markdown(HOSTILE)}\n- {escape.code('a`b')}\n- <b>raw</b> ![p](http://h/p.png)")
    return Document(HOSTILE, HOSTILE, (Section(HOSTILE, (text, table, figure)),))


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    files = write(hostile(), tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in files} == {
        "report.md",
        "report.html",
        "pictures/f.png",
        "tables/t.csv",
        "tables/t.tex",
    }
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1 and "b" not in page.tags  # the page's own
    assert all(load.startswith("data:") for load in page.loads)
    assert not [link for link in page.links if link.startswith("javascript")]
    assert page.text.count(HOSTILE) == 9  # title twice, subtitle, contents, heading, text, cell, two captions


def test_markdown_of_names_reads_back() -> None:
    shown = Page(MarkdownIt("commonmark").enable("table").render(to_markdown(hostile())))
    assert HOSTILE in shown.text and "script" not in shown.tags
    for name in ("# a", "1. a", "- a", "a | b", "x_y_z", "&amp;", "a\nb"):
        assert Page(MarkdownIt("commonmark").render(escape.markdown(name))).text.strip() == name.replace("\n", " ")


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://host/run?a=1#/b", True),
        ("depth-cpu.html", True),
        ("a.b_c.md", True),
        ("javascript:alert(1)", False),
        ("../there.html", False),
        ("folder/there.html", False),
        ("//host/there.html", False),
        ("there.html?x", False),
        ("there.js", False),
        (None, False),
    ],
)
def test_links_lead_to_web_addresses_and_pages_beside(address: str | None, safe: bool) -> None:
    assert escape.safe_link(address) == (address if safe else None)
