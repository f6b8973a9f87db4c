"""Tests of the paper's claims: a claim holds, does not hold, or cannot be decided.

The data are PSNRs in dB, (seeds, images), at every budget of a table. A claim of a table is about its test images, so
these are treated as fixed: the difference of two rows is computed per seed and has Student's interval over seeds. The
interval over seeds and images (`srcnn.tuning.trials.intervals`) is given as well. It tells whether the difference is
expected on other photographs too; for the five images of Set5 it is wide. A verdict requires:

* at least five seeds of every row;
* trained networks, because before training all networks are alike: half of the paper's gain over bicubic if the paper has a
  figure for the set, otherwise a quarter of the paper's gain on Set5 (on the hundred test photographs of BSDS the gain of the
  paper's network is 0.6 of that);
* an interval entirely on one side of the claim's bound (zero, or its margin), or entirely within 0.02 dB of zero: then the
  difference is too small to matter, whatever its sign (as in a test of equivalence; Schuirmann 1987);
* a stable trend: if the difference changes once more as much as from the last but one to the last budget, it must not cross
  the bound.

Every claim is tested at 95 % independently: of forty false claims about one passes by chance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.config.quantities import counted
from srcnn.tuning.paper.table import Claim
from srcnn.tuning.trials.intervals import Interval, difference, over_seeds

__all__ = [
    "DECIDED",
    "FEW_SEEDS",
    "HOLDS",
    "HOLDS_NOT",
    "LEARNT",
    "LEARNT_ELSEWHERE",
    "LEAST_SEEDS",
    "MISSING",
    "NEGLIGIBLE",
    "SMALL",
    "TOO_CLOSE",
    "UNTRAINED",
    "Difference",
    "Verdict",
    "decisive",
    "judge",
    "read_evidence",
]

HOLDS, HOLDS_NOT = "holds", "does not hold"
MISSING, FEW_SEEDS, UNTRAINED = "not measured", "not enough seeds to say", "not enough training to say"
TOO_CLOSE = "too close to say"  #: the interval contains the bound
NEGLIGIBLE = 0.02  #: differences in dB below which two rows count as equally good
SMALL = f"smaller than {NEGLIGIBLE:.2f} dB"  #: the interval contains zero and is within `NEGLIGIBLE` of it
DECIDED = (HOLDS, HOLDS_NOT, SMALL)  #: verdicts that decide a claim
LEAST_SEEDS = 5
LEARNT = 0.5  #: minimum gain of a trained network, as a fraction of the paper's gain over bicubic
LEARNT_ELSEWHERE = 0.25  #: the same as a fraction of the paper's gain on Set5, for sets without a figure in the paper

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """Result of the test of a claim."""

    claim: Claim
    recipe: str
    verdict: str  #: `HOLDS`, `HOLDS_NOT`, `SMALL`, `TOO_CLOSE`, `FEW_SEEDS`, `UNTRAINED` or `MISSING`
    evidence: str  #: the differences, as text
    since: float | None  #: shortest budget from which the claim always held; None if it does not hold at the longest
    general: bool | None = None  #: whether the verdict is significant for other images too; None if not tested
    seeds: int = 0  #: number of seeds of every row at the longest budget; 0 if the claim is not measured


@dataclass(frozen=True)
class Difference:
    """One difference of the evidence, formatted, for tables."""

    of: str  #: what is subtracted from what, such as ``9-5-5 - 9-3-5``
    mean: float  #: in dB
    low: float  #: limits of Student's 95 % interval over seeds, in dB; infinite with one seed
    high: float
    margin: (
        float | None
    )  #: the bound that it must be below, in dB; None: the bound is zero, or in the text of the claim

    @property
    def interval(self) -> str:
        """The interval as text; empty if it is infinite."""
        return f"[{self.low:+.3f}, {self.high:+.3f}]" if math.isfinite(self.low) else ""


_NUMBER = r"([+-]\d+\.\d+)"
_DIFFERENCE = re.compile(
    rf"(?:^|; )(?P<of>.+?): (?P<mean>{_NUMBER}) (?:\[(?P<low>{_NUMBER}), (?P<high>{_NUMBER})\]|\([^)]+\)) dB"
    r"(?:, over images too \[[^]]+\])?(?:, margin (?P<margin>\d+\.\d+))?"
)


def read_evidence(text: str) -> list[Difference]:
    """Return the differences of the evidence of a `Verdict`, in order; none if the claim is not measured.

    Reports keep the evidence as this text, so that a table of an earlier report can be read again.

    >>> read_evidence("a - b: +0.033 [+0.000, +0.065] dB, over images too [-0.100, +0.200], margin 0.05")
    [Difference(of='a - b', mean=0.033, low=0.0, high=0.065, margin=0.05)]
    """
    return [
        Difference(
            found["of"],
            float(found["mean"]),
            float(found["low"] or -math.inf),
            float(found["high"] or math.inf),
            None if found["margin"] is None else float(found["margin"]),
        )
        for found in _DIFFERENCE.finditer(text)
    ]


def decisive(verdict: str, differences: Sequence[Difference]) -> Difference | None:
    """Return the difference that decides the verdict on a claim, of those of its evidence; None if there is none.

    A claim holds if all of its differences do, so the lowest interval decides; it does not hold if one of them does not.
    """
    key = (lambda one: one.high) if verdict == HOLDS_NOT else (lambda one: one.low)
    return min(differences, key=key, default=None)


def judge(
    claim: Claim,
    recipe: str,
    figures: Mapping[str, Mapping[float, Figures]],
    *,
    printed: Mapping[str, float],
    learnt: float | None,
) -> Verdict:
    """Decide whether a claim holds.

    Args:
        claim: the claim.
        recipe: the recipe by which the rows were trained.
        figures: PSNRs by row and budget, (seeds, images), in dB; failed rows are missing.
        printed: figures of the paper by row, in dB, for claims of the kind ``reaches``.
        learnt: minimum PSNR of a trained network, in dB; None: unknown for these planes and not checked.
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
        return Verdict(claim, recipe, UNTRAINED, evidence, None, seeds=seeds)
    if seeds < LEAST_SEEDS:
        evidence += f"; {counted(seeds, 'seed')}, {LEAST_SEEDS} are needed"
        return Verdict(claim, recipe, FEW_SEEDS, evidence, None, seeds=seeds)
    against, unsure = ([test for test in tests if _side(test, -1) in sides] for sides in ((-1,), (0,)))
    if any(test.stays for test in against):
        general = [_side_of(test.general, test) < 0 for test in against if test.stays and test.general is not None]
        return Verdict(claim, recipe, HOLDS_NOT, evidence, None, any(general) if general else None, seeds=seeds)
    if unsure and not against:
        verdict = SMALL if all(test.negligible for test in unsure) else TOO_CLOSE
        return Verdict(claim, recipe, verdict, evidence, since, seeds=seeds)
    if against or not all(test.stays for test in tests):
        return Verdict(
            claim, recipe, UNTRAINED, f"{evidence}; another step like the last would change that", since, seeds=seeds
        )
    general = [_side_of(test.general, test) > 0 for test in tests if test.general is not None]
    return Verdict(claim, recipe, HOLDS, evidence, since, all(general) if general else None, seeds=seeds)


@dataclass(frozen=True)
class _Test:
    """A difference at every budget, and its bound: it must be above it if ``above``, else below it."""

    text: str
    differences: Sequence[Interval]
    bound: float
    above: bool
    general: Interval | None = None  #: interval of the decisive difference over seeds and images

    @property
    def stays(self) -> bool:
        """Whether the mean stays on its side of the bound after another change like the last one."""
        return (self._next > self.bound) == (self.differences[-1].mean > self.bound)

    @property
    def negligible(self) -> bool:
        """Whether the difference is within `NEGLIGIBLE` of zero, and its mean also after another change like the last one."""
        last = self.differences[-1]
        return self.bound == 0 and max(abs(last.low), abs(last.high), abs(self._next)) < NEGLIGIBLE

    @property
    def _next(self) -> float:
        """Mean difference in dB if it changes once more as much as from the last but one to the last budget."""
        last = self.differences[-1].mean
        return 2 * last - self.differences[-2].mean if len(self.differences) > 1 else last


def _side(test: _Test, index: int) -> int:
    return _side_of(test.differences[index], test)


def _side_of(found: Interval, test: _Test) -> int:
    """Return 1 if the interval is on the claim's side of the bound, -1 if on the other side, 0 if it contains the bound."""
    over = found.low > test.bound
    under = found.high < test.bound
    if not over and not under:
        return 0
    return 1 if over == test.above else -1


def _compares(
    claim: Claim, a: str, b: str, figures: Mapping[str, Mapping[float, Figures]], common: Sequence[float]
) -> _Test:
    early = claim.kind == "slower"  # about the start of training: the shortest budget decides at every budget
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
    count = min(len(a), len(b))  # seeds have the same order; a row with a failed seed has fewer
    return a[:count], b[:count]


def _reaches(
    claim: Claim, row: str, figures: Mapping[float, Figures], common: Sequence[float], printed: float
) -> _Test:
    """Compare a row with its figure in the paper, over seeds alone, because the test images are the paper's."""
    found = [over_seeds(figures[length]).minus(printed) for length in common]
    return _Test(f"{row} - {printed:.2f}: {found[-1].signed()} dB", found, -claim.margin, above=True)
