"""The paper's claims, decided by stated tests: holds, does not hold, or not enough training to say.

Figures are PSNRs in dB, (seeds, images), of every budget that a table has. A difference between two rows is the mean over
seeds and images with its paired bootstrap interval (`srcnn.tuning.statistics`). Three rules come before a verdict:

* the interval must lie on one side of the bound that the claim names (zero, or its margin);
* the networks must have half of the paper's own gain over bicubic, since all networks are alike before they learn;
* the verdict must survive another step: the change of the difference from the last budget but one to the last, added once
  more, must not carry it across the bound.

Where one of them fails, the training does not suffice to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.tuning.statistics import Interval, bootstrap, bootstrap_difference
from srcnn.tuning.table import Claim

__all__ = ["HOLDS", "HOLDS_NOT", "LEARNT", "UNDECIDED", "Verdict", "judge"]

HOLDS, HOLDS_NOT, UNDECIDED = "holds", "does not hold", "not enough training to say"
LEARNT = 0.5  #: share of the paper's gain over bicubic from which a network counts as trained

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    recipe: str
    verdict: str  #: one of `HOLDS`, `HOLDS_NOT`, `UNDECIDED`
    evidence: str  #: the differences, in words
    since: float | None  #: the budget from which it held throughout; None: it does not hold at the longest


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
        learnt: half-way from bicubic to the paper's figure, in dB; None: not known, and not asked for.
    """
    missing = [row for row in claim.rows if not figures.get(row)]
    if missing:
        return Verdict(claim, recipe, UNDECIDED, f"no finished run of {', '.join(missing)}", None)
    common = sorted(set.intersection(*(set(figures[row]) for row in claim.rows)))
    if not common:
        return Verdict(claim, recipe, UNDECIDED, "no budget that all rows were trained with", None)
    if claim.kind == "reaches":
        tests = [_reaches(claim, row, figures[row], common, printed.get(row)) for row in claim.rows]
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
    low = [row for row in claim.rows if learnt is not None and figures[row][common[-1]].mean() < learnt]
    if low and claim.kind not in ("reaches", "slower"):
        return Verdict(claim, recipe, UNDECIDED, f"{evidence}; {low[0]} has not half of the paper's gain yet", since)
    if all(test.sure > 0 for test in tests):
        return Verdict(claim, recipe, HOLDS, evidence, since)
    if any(test.sure < 0 for test in tests):
        return Verdict(claim, recipe, HOLDS_NOT, evidence, None)
    return Verdict(claim, recipe, UNDECIDED, evidence, since)


@dataclass(frozen=True)
class _Test:
    """A difference at every budget, and the bound it must exceed (``above``) or stay below."""

    text: str
    differences: Sequence[Interval]
    bound: float
    above: bool

    @property
    def sure(self) -> int:
        """1: the claim's side, -1: the other, 0: neither, or another step like the last one would cross the bound."""
        side = _side(self, -1)
        last = self.differences[-1].mean
        step = last - self.differences[-2].mean if len(self.differences) > 1 else 0.0
        stays = (last + step > self.bound) == (last > self.bound)
        return side if stays else 0


def _side(test: _Test, index: int) -> int:
    difference = test.differences[index]
    over = difference.low > test.bound
    under = difference.high < test.bound
    if not over and not under:
        return 0
    return 1 if over == test.above else -1


def _compares(
    claim: Claim, a: str, b: str, figures: Mapping[str, Mapping[float, Figures]], common: Sequence[float]
) -> _Test:
    found = [_difference(figures[a][length], figures[b][length]) for length in common]
    if claim.kind == "slower":  # early on, so the shortest budget decides and no later step can change it
        first = [found[0]] * len(found)
        return _Test(f"{a} - {b} at the shortest budget: {found[0].signed()} dB", first, 0.0, above=False)
    text = f"{a} - {b}: {found[-1].signed()} dB"
    if claim.kind == "no_better":
        return _Test(f"{text}, margin {claim.margin:.2f}", found, claim.margin, above=False)
    return _Test(text, found, 0.0, above=True)


def _difference(a: Figures, b: Figures) -> Interval:
    paired = min(len(a), len(b))  # seeds come in one order; a row of which a seed failed has fewer
    return bootstrap_difference(a[:paired], b[:paired])


def _reaches(
    claim: Claim, row: str, figures: Mapping[float, Figures], common: Sequence[float], printed: float | None
) -> _Test:
    """Over seeds alone: the test images are the paper's."""
    if printed is None:
        unknown = [Interval(0.0, -1.0, 1.0)] * len(common)
        return _Test(f"{row}: no printed figure", unknown, 0.0, above=True)
    found = []
    for length in common:
        mine = bootstrap(figures[length].mean(axis=1, keepdims=True))
        found.append(Interval(mine.mean - printed, mine.low - printed, mine.high - printed))
    return _Test(f"{row} - {printed:.2f}: {found[-1].signed()} dB", found, -claim.margin, above=True)
