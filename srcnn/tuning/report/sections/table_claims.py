"""The section of a table's report about its claims: verdicts, and what varies between seeds and images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srcnn.config.quantities import counted
from srcnn.tuning.paper.claims import (
    DECIDED,
    FEW_SEEDS,
    HOLDS,
    HOLDS_NOT,
    LEAST_SEEDS,
    NEGLIGIBLE,
    SMALL,
    TOO_CLOSE,
    UNTRAINED,
    Verdict,
    decisive,
    read_evidence,
)
from srcnn.tuning.report.data.table_data import TableData, figure_name
from srcnn.tuning.report.document.document import Cell, Figure, Table, Text
from srcnn.tuning.trials.intervals import components

__all__ = [
    "CLAIM",
    "CLAIMS",
    "EVIDENCE",
    "HOW_TESTED",
    "OTHER_IMAGES",
    "RECIPE",
    "SEEDS",
    "VERDICT",
    "claims_parts",
    "sentence",
]

Part = Text | Table | Figure
CLAIMS = "-claims"  #: end of the name of the table of verdicts, after the name of the run
#: Columns of that table, by which `srcnn.tuning.report.sections.front_page` finds what it shows.
CLAIM, RECIPE, VERDICT, EVIDENCE = "claim", "recipe", "verdict", "evidence [95 %]"
OTHER_IMAGES, SEEDS = "other images", "seeds"

#: What the verdicts mean, in Markdown.
HOW_TESTED = f"""\
A claim is about a difference in dB between two rows, or between a row and the paper's figure. Differences are taken seed by seed.

- **{HOLDS}**, **{HOLDS_NOT}**: the whole 95 % interval over seeds (Student's, for these images) is on one side of the bound, \
which is zero or the margin of the claim.
- **{SMALL}**: the interval contains zero and is within {NEGLIGIBLE:.2f} dB of it, so the rows are equally good, and another \
change of the difference like that from the last budget but one to the last would keep it there.
- {TOO_CLOSE}: the interval contains the bound, and is wider.
- {UNTRAINED}: a network has not learnt yet, or more training could change the answer. Learnt means half of the paper's gain \
over bicubic (Y on Set5 and Set14), or a quarter of its gain on Set5 for other images. More training could change the answer if \
the difference, changed once more as much as from the last budget but one to the last, would be on the other side of the bound.
- {FEW_SEEDS}: a row has fewer than {LEAST_SEEDS} seeds.
- other images: "sure" if the interval over seeds and images (two-way analysis of variance, Satterthwaite's degrees of freedom) \
is on the same side of the bound, so that the same is expected of other photographs.

Every claim is tested on its own at 95 %: of forty false claims, about one passes by chance."""


def sentence(found: Verdict) -> str:
    """Return the figure behind a verdict in words: ``a - b is +0.033 dB, with 95 % confidence +0.000 to +0.065``."""
    one = decisive(found.verdict, read_evidence(found.evidence))
    if one is None:
        return found.evidence
    text = f"{one.of} is {one.mean:+.3f} dB"
    text += f", with 95 % confidence {one.low:+.3f} to {one.high:+.3f}" if one.interval else ""
    text += "" if one.margin is None else f"; at most {one.margin:+.2f} was claimed"
    if found.verdict == FEW_SEEDS:
        text += f"; {counted(found.seeds, 'seed')}, {LEAST_SEEDS} are needed"
    if found.verdict == UNTRAINED:
        text += f"; {found.evidence.rpartition('; ')[2]}"
    if found.general is not None:
        text += f"; {'sure of other photographs too' if found.general else 'sure of these images only'}"
    return text


def claims_parts(data: TableData) -> tuple[Part, ...]:
    """Return the section of the claims: how they are tested, the table of verdicts, what varies; empty without a claim."""
    found = data.verdicts()
    if not found:
        return ()
    several = len(data.recipes) > 1
    rows = []
    for one in found:
        since = "" if one.since is None else f"from {data.amount(one.since)}"
        cells = [Cell(one.claim.text), *[Cell(one.recipe)] * several]
        cells += [Cell(one.verdict, bold=one.verdict in DECIDED), Cell(one.evidence), Cell(since)]
        cells.append(Cell("" if one.general is None else "sure" if one.general else "not sure"))
        cells.append(Cell(str(one.seeds) if one.seeds else ""))
        rows.append(tuple(cells))
    head = (CLAIM, *[RECIPE] * several, VERDICT, EVIDENCE, "held", OTHER_IMAGES, SEEDS)
    verdicts = Table(
        f"{data.name}{CLAIMS}", head, tuple(rows), f"Tested after {data.amount(data.longest)}.", left=len(head) - 2
    )
    return (Text(HOW_TESTED), verdicts, *_variation(data))


def _variation(data: TableData) -> tuple[Part, ...]:
    """Return the variation of the figures of rows, and of their differences within claims, by seed and by image."""
    found: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for metric in data.shown:
        for recipe in data.recipes:
            arrays = {row.name: data.figures(row.name, recipe, metric) for row in data.table.rows}
            for name, array in arrays.items():
                if array is not None:
                    found[name, recipe, metric] = array
            for claim in data.table.claims:
                if data.here(data.table.metric_of(claim)) != metric or recipe not in (claim.recipes or data.recipes):
                    continue
                for a, b in zip(claim.rows[:-1], claim.rows[1:], strict=True):
                    one, other = arrays[a], arrays[b]
                    if one is not None and other is not None and one.shape == other.shape:
                        found[f"{a} - {b}", recipe, metric] = one - other
    rows = []
    for (name, recipe, metric), array in found.items():
        if min(array.shape) < 2:
            continue
        by = components(array)
        figures = [f"{value:.4f}" for value in (by.seed, by.image, by.rest)]
        rows.append(
            tuple(map(Cell, (name, recipe, figure_name(metric), *figures, str(array.shape[0]), str(array.shape[1]))))
        )
    if not rows:
        return ()
    head = ("row or difference", "recipe", "figure", "seed (dB)", "image (dB)", "rest (dB)", "seeds", "images")
    caption = (
        "Standard deviations: between seeds, between images, and of what is left; zero where the analysis of variance finds less "
        f"than none. After {data.amount(data.longest)}."
    )
    return (Table(f"{data.name}-variation", head, tuple(rows), caption, left=3),)
