"""The front page of several reports: one row for each claim, and the pages."""

from __future__ import annotations

from collections.abc import Sequence

from srcnn.tuning.report.document.document import Cell, Document, Section, Table
from srcnn.tuning.report.sections.front_page import front_page, judged_claims
from srcnn.tuning.report.sections.table_claims import CLAIM, EVIDENCE, OTHER_IMAGES, RECIPE, SEEDS, VERDICT

ORDER = "a - b: +0.200 [+0.100, +0.300] dB, over images too [-0.1, +0.5]; b - c: +0.050 [+0.010, +0.090] dB"
FAILS = "a - b: -0.050 [-0.090, -0.010] dB; b - c: +0.010 [-0.500, +0.520] dB"
MARGIN = "a - b: -0.010 [-0.060, +0.040] dB, over images too [-0.060, +0.040], margin 0.05"


def page(title: str, *rows: Sequence[str], recipe: bool = False) -> Document:
    head = (CLAIM, *[RECIPE] * recipe, VERDICT, EVIDENCE, "held", OTHER_IMAGES, SEEDS)
    table = Table(f"{title}-claims", head, tuple(tuple(map(Cell, row)) for row in rows))
    return Document(title, f"Does {title} pay? n = 5 runs, 5 seeds; commit 0.", (Section("Claims", (table,)),))


PAGES = {
    "size": page(
        "size",
        ["a > b > c", "too close to say", ORDER, "", "", "5"],
        ["b > c > d", "does not hold", FAILS, "", "not sure", "5"],
    ),
    "depth": page("depth", ["a is no better", "ours", "holds", MARGIN, "from 8", "sure", "6"], recipe=True),
    "search": Document("search", "Searched. n = 3 trials.", ()),
}


def rows(name: str, extension: str = "md") -> list[list[str]]:
    (table,) = (one for one in front_page(PAGES, extension).tables if one.name == name)
    return [[cell.text for cell in row] for row in table.rows]


def test_a_row_for_every_claim_with_the_difference_that_decides() -> None:
    assert rows("claims") == [
        ["holds", "a is no better (ours)", "a - b, at most +0.05", "-0.010", "[-0.060, +0.040]", "6", "sure"],
        ["does not hold", "b > c > d", "a - b", "-0.050", "[-0.090, -0.010]", "5", "not sure"],
        ["too close to say", "a > b > c", "b - c", "+0.050", "[+0.010, +0.090]", "5", ""],
    ]


def test_claims_and_pages_lead_to_the_pages_of_the_same_kind() -> None:
    for extension in ("md", "html"):
        claims, pages = front_page(PAGES, extension).tables
        assert [row[1].link for row in claims.rows] == [f"{name}.{extension}" for name in ("depth", "size", "size")]
        assert [row[0].link for row in pages.rows] == [f"{name}.{extension}" for name in PAGES]


def test_the_pages_have_their_questions_and_numbers_of_claims() -> None:
    assert rows("pages") == [
        ["size", "Does size pay?", "0", "1", "0", "1"],
        ["depth", "Does depth pay?", "1", "0", "0", "0"],
        ["search", "Searched.", "", "", "", ""],
    ]
    assert front_page(PAGES, "md").subtitle == (
        "3 claims from 2 tables: 1 holds, 1 does not hold, 1 cannot be decided (1 too close to say)."
    )


def test_a_difference_too_small_to_matter_is_decided() -> None:
    pages = {"size": page("size", ["a > b > c", "smaller than 0.02 dB", ORDER, "", "", "5"])}
    document = front_page(pages, "md")
    assert document.subtitle == (
        "1 claim from 1 table: 0 hold, 0 do not hold, 1 is about a difference smaller than 0.02 dB."
    )
    (table,) = (one for one in document.tables if one.name == "pages")
    assert [cell.text for cell in table.rows[0]] == ["size", "Does size pay?", "0", "0", "1", "0"]


def test_pages_without_claims_have_a_front_page_without_verdicts() -> None:
    document = front_page({"search": PAGES["search"], "other": PAGES["search"]}, "md")
    assert (document.title, document.subtitle) == ("Reports", "2 reports.")
    assert [section.title for section in document.sections] == ["Pages"]
    assert judged_claims("search", PAGES["search"]) == []


def test_a_claim_that_is_not_measured_has_no_figure() -> None:
    missing = page("size", ["a > b", "not measured", "no finished run of a", "", "", ""])
    (row,) = next(table for table in front_page({"size": missing}, "md").tables if table.name == "claims").rows
    assert [cell.text for cell in row] == ["not measured", "a > b", "", "", "", "", ""]
