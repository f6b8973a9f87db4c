"""The paper's claims, decided by stated tests: holds, does not hold, or why nothing can be said.

Figures are PSNRs in dB, (seeds, images), of every budget that a table has. A claim of a table is about its test images, so they
are taken as they are: a difference between two rows is taken seed by seed and has Student's interval over seeds. Beside it
stands the interval over seeds and images (`srcnn.tuning.trials.intervals`), which says whether the difference would be seen on
other photographs too; on the five of Set5 it is wide. A verdict needs all of these:

* at least five seeds of every row;
* networks that have learnt: half of the paper's own gain over bicubic where the set has a printed figure, a quarter of the
  paper's gain on Set5 elsewhere (on the hundred test photographs of BSDS the paper's network gains 0.6 of that), since all
  networks are alike before they learn;
* an interval on one side of the bound that the claim names (zero, or its margin);
* the same verdict after another step: the change of the difference from the last budget but one to the last, added once more,
  must not carry it across the bound.

Every claim is tested on its own at 95 %: of forty that are false one is expected to pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.tuning.paper.table import Claim
from srcnn.tuning.trials.intervals import Interval, difference, over_seeds

__all__ = [
    "FEW_SEEDS",
    "HOLDS",
    "HOLDS_NOT",
    "LEARNT",
    "LEARNT_ELSEWHERE",
    "LEAST_SEEDS",
    "MISSING",
    "TOO_CLOSE",
    "UNTRAINED",
    "Verdict",
    "judge",
]

HOLDS, HOLDS_NOT = "holds", "does not hold"
MISSING, FEW_SEEDS, UNTRAINED = "not measured", "not enough seeds to say", "not enough training to say"
TOO_CLOSE = "too close to say"  #: the interval holds the bound
LEAST_SEEDS = 5
LEARNT = 0.5  #: share of the paper's gain over bicubic from which a network counts as trained
LEARNT_ELSEWHERE = 0.25  #: share of the paper's gain on Set5 where the set has no printed figure

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    recipe: str
    verdict: str  #: `HOLDS`, `HOLDS_NOT`, `TOO_CLOSE`, `FEW_SEEDS`, `UNTRAINED` or `MISSING`
    evidence: str  #: the differences, in words
    since: float | None  #: the budget from which it held throughout; None: it does not hold at the longest
    general: bool | None = None  #: of a verdict: whether it is sure of other images too; None: not asked


def judge(
    claim: Claim,
    recipe: str,
    figures: Mapping[str, Mapping[float, Figures]],
    *,
    printed: Mapping[str, float],
    learnt: float | None,
) -> Verdict:
    """Decide on a claim.

    Args:
        claim: what is claimed.
        recipe: how the rows were trained.
        figures: by row and by budget, (seeds, images) in dB; a row that failed is missing.
        printed: the paper's figures by row, for claims of the kind ``reaches``.
        learnt: PSNR in dB from which a network counts as trained; None: not known of these planes, and not asked for.
    """
    missing = [row for row in claim.rows if not figures.get(row)]
    if missing:
        return Verdict(claim, recipe, MISSING, f"no finished run of {', '.join(missing)}", None)
    common = sorted(set.intersection(*(set(figures[row]) for row in claim.rows)))
    if not common:
        return Verdict(claim, recipe, MISSING, "no budget that all rows were trained with", None)
    if claim.kind == "reaches" and (unknown := [row for row in claim.rows if row not in printed]):
        return Verdict(claim, recipe, MISSING, f"no printed figure of {', '.join(unknown)} on these images", None)
    if claim.kind == "reaches":
        tests = [_reaches(claim, row, figures[row], common, printed[row]) for row in claim.rows]
    else:
        pairs = list(zip(claim.rows[:-1], claim.rows[1:], strict=True))
        tests = [_compares(claim, a, b, figures, common) for a, b in pairs]
    raw = [[_side(test, i) for test in tests] for i in range(len(common))]
    since = None
    for i in reversed(range(len(common))):
        if not all(side > 0 for side in raw[i]):
            break
        since = common[i]
    evidence = "; ".join(test.text for test in tests)
    seeds = min(len(figures[row][common[-1]]) for row in claim.rows)
    low = [row for row in claim.rows if learnt is not None and figures[row][common[-1]].mean() < learnt]
    if low:
        assert learnt is not None
        last = figures[low[0]][common[-1]].mean()
        evidence += f"; {low[0]} has {last:.2f} dB and counts as trained from {learnt:.2f}"
        return Verdict(claim, recipe, UNTRAINED, evidence, None)
    if seeds < LEAST_SEEDS:
        evidence += f"; {seeds} seed{'' if seeds == 1 else 's'}, {LEAST_SEEDS} are needed"
        return Verdict(claim, recipe, FEW_SEEDS, evidence, None)
    against, unsure = ([test for test in tests if _side(test, -1) in sides] for sides in ((-1,), (0,)))
    if any(test.stays for test in against):
        general = [_side_of(test.general, test) < 0 for test in against if test.stays and test.general is not None]
        return Verdict(claim, recipe, HOLDS_NOT, evidence, None, any(general) if general else None)
    if unsure and not against:
        return Verdict(claim, recipe, TOO_CLOSE, evidence, since)
    if against or not all(test.stays for test in tests):
        return Verdict(claim, recipe, UNTRAINED, f"{evidence}; another step like the last would change that", since)
    general = [_side_of(test.general, test) > 0 for test in tests if test.general is not None]
    return Verdict(claim, recipe, HOLDS, evidence, since, all(general) if general else None)


@dataclass(frozen=True)
class _Test:
    """A difference at every budget, and the bound it must exceed (``above``) or stay below."""

    text: str
    differences: Sequence[Interval]
    bound: float
    above: bool
    general: Interval | None = None  #: of the difference that decides, over images too

    @property
    def stays(self) -> bool:
        """Whether another step like the last one would leave the mean on its side of the bound."""
        last = self.differences[-1].mean
        step = last - self.differences[-2].mean if len(self.differences) > 1 else 0.0
        return (last + step > self.bound) == (last > self.bound)


def _side(test: _Test, index: int) -> int:
    return _side_of(test.differences[index], test)


def _side_of(found: Interval, test: _Test) -> int:
    """1: the claim's side of the bound, -1: the other, 0: the interval holds the bound."""
    over = found.low > test.bound
    under = found.high < test.bound
    if not over and not under:
        return 0
    return 1 if over == test.above else -1


def _compares(
    claim: Claim, a: str, b: str, figures: Mapping[str, Mapping[float, Figures]], common: Sequence[float]
) -> _Test:
    early = claim.kind == "slower"  # early on, so the shortest budget decides and no later step can change it
    pairs = [
        _paired(figures[a][length], figures[b][length]) for length in ([common[0]] * len(common) if early else common)
    ]
    found = [difference(one, other, images_vary=False) for one, other in pairs]
    one, other = pairs[-1]
    general = difference(one, other) if min(one.shape) > 1 else None
    text = f"{a} - {b}{' at the shortest budget' if early else ''}: {found[-1].signed()} dB"
    if general is not None and general.bounded:
        text += f", over images too [{general.low:+.3f}, {general.high:+.3f}]"
    if early:
        return _Test(text, found, 0.0, above=False, general=general)
    if claim.kind == "no_better":
        return _Test(f"{text}, margin {claim.margin:.2f}", found, claim.margin, above=False, general=general)
    return _Test(text, found, 0.0, above=True, general=general)


def _paired(a: Figures, b: Figures) -> tuple[Figures, Figures]:
    count = min(len(a), len(b))  # seeds come in one order; a row of which a seed failed has fewer
    return a[:count], b[:count]


def _reaches(
    claim: Claim, row: str, figures: Mapping[float, Figures], common: Sequence[float], printed: float
) -> _Test:
    """Over seeds alone: the test images are the paper's."""
    found = [over_seeds(figures[length]).minus(printed) for length in common]
    return _Test(f"{row} - {printed:.2f}: {found[-1].signed()} dB", found, -claim.margin, above=True)
