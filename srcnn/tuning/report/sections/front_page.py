"""The front page of several reports: the verdict on every claim in one table, and the pages.

A claim is read from the table of verdicts of its page (`srcnn.tuning.report.sections.table_claims`), so that a page of an earlier
report has a front page too. A page without such a table, as of a search, is only among the pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from srcnn.config.quantities import counted
from srcnn.tuning.paper.claims import (
    DECIDED,
    FEW_SEEDS,
    HOLDS,
    HOLDS_NOT,
    MISSING,
    SMALL,
    TOO_CLOSE,
    UNTRAINED,
    decisive,
    read_evidence,
)
from srcnn.tuning.report.document.document import Cell, Document, Section, Table, Text
from srcnn.tuning.report.sections.table_claims import (
    CLAIM,
    CLAIMS,
    EVIDENCE,
    HOW_TESTED,
    OTHER_IMAGES,
    RECIPE,
    SEEDS,
    VERDICT,
)

__all__ = ["JudgedClaim", "front_page", "judged_claims"]

_ORDER = (HOLDS, HOLDS_NOT, SMALL, TOO_CLOSE, UNTRAINED, FEW_SEEDS, MISSING)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its verdict, as its page shows it."""

    page: str  #: name of the page, without extension
    text: str  #: the claim; with the recipe in brackets if its table has several
    verdict: str
    evidence: str  #: as `srcnn.tuning.paper.claims.Verdict`
    general: str  #: whether the verdict is sure of other images: ``sure``, ``not sure`` or empty
    seeds: str  #: number of seeds of every row; empty if not measured


def judged_claims(page: str, document: Document) -> list[JudgedClaim]:
    """Return the claims of a page, in its order; none if it has no table of verdicts."""
    found = []
    for table in document.tables:
        if not table.name.endswith(CLAIMS):
            continue
        for row in table.rows:
            cells = {head: cell.text for head, cell in zip(table.head, row, strict=True)}
            recipe = f" ({cells[RECIPE]})" if RECIPE in cells else ""
            found.append(
                JudgedClaim(
                    page,
                    f"{cells[CLAIM]}{recipe}",
                    cells[VERDICT],
                    cells[EVIDENCE],
                    cells.get(OTHER_IMAGES, ""),
                    cells.get(SEEDS, ""),
                )
            )
    return found


def front_page(pages: Mapping[str, Document], extension: str) -> Document:
    """Create the front page.

    Args:
        pages: documents by the name of their files, in order.
        extension: ``md`` or ``html``: the kind of pages that the links lead to.
    """
    claims = [claim for page, document in pages.items() for claim in judged_claims(page, document)]
    sections = [Section("Pages", (_pages(pages, claims, extension),))]
    if claims:
        meaning = Text(HOW_TESTED)
        sections = [
            Section("Claims", (_claims(claims, extension),)),
            *sections,
            Section("What the verdicts mean", (meaning,)),
        ]
    return Document(_title(claims), _summary(len(pages), claims), tuple(sections))


def _title(claims: list[JudgedClaim]) -> str:
    return "Claims, tested" if claims else "Reports"


def _summary(pages: int, claims: list[JudgedClaim]) -> str:
    """Return the number of claims by verdict, as a sentence."""
    if not claims:
        return f"{counted(pages, 'report')}."
    kinds, tables = Counter(claim.verdict for claim in claims), len({claim.page for claim in claims})
    holds, fails = kinds[HOLDS], kinds[HOLDS_NOT]
    small = kinds[SMALL]
    open_ones = [f"{kinds[kind]} {kind}" for kind in _ORDER[3:] if kinds[kind]]
    equal = f", {small} {'is' if small == 1 else 'are'} about a difference {SMALL}" if small else ""
    rest = f", {len(claims) - holds - fails - small} cannot be decided ({', '.join(open_ones)})" if open_ones else ""
    return (
        f"{counted(len(claims), 'claim')} from {counted(tables, 'table')}: {holds} {'holds' if holds == 1 else 'hold'}, "
        f"{fails} {'does' if fails == 1 else 'do'} not hold{equal}{rest}."
    )


def _claims(claims: list[JudgedClaim], extension: str) -> Table:
    rows = []
    for claim in sorted(claims, key=lambda one: _ORDER.index(one.verdict) if one.verdict in _ORDER else len(_ORDER)):
        found = read_evidence(claim.evidence)
        one = decisive(claim.verdict, found)
        margin = "" if one is None or one.margin is None else f", at most {one.margin:+.2f}"
        rows.append(
            (
                Cell(claim.verdict, bold=claim.verdict in DECIDED),
                Cell(claim.text, link=f"{claim.page}.{extension}"),
                Cell("" if one is None else f"{one.of}{margin}"),
                Cell("" if one is None else f"{one.mean:+.3f}"),
                Cell("" if one is None else one.interval),
                Cell(claim.seeds),
                Cell(claim.general),
            )
        )
    head = (VERDICT, CLAIM, "difference", "dB", "95 % interval", SEEDS, OTHER_IMAGES)
    caption = (
        "One row for each claim, those that hold first; the claim is a link to the page of its table. The difference is that of "
        "the mean PSNR after the longest training of the table, its interval Student's over the seeds. If a claim has several "
        "differences, the one that decides is shown; its page has all."
    )
    return Table("claims", head, tuple(rows), caption, left=3)


def _pages(pages: Mapping[str, Document], claims: list[JudgedClaim], extension: str) -> Table:
    rows = []
    for page, document in pages.items():
        kinds = Counter(claim.verdict for claim in claims if claim.page == page)
        undecided = sum(count for kind, count in kinds.items() if kind not in DECIDED)
        question = document.subtitle.partition(" n = ")[0]
        figures = [str(count) if kinds else "" for count in (*(kinds[kind] for kind in DECIDED), undecided)]
        rows.append((Cell(document.title, link=f"{page}.{extension}"), Cell(question), *map(Cell, figures)))
    head = ("page", "question", *DECIDED, "not decided")
    return Table("pages", head, tuple(rows), "Number of claims by verdict.", left=2)
