"""Verdicts on claims, from figures whose answer is known."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from srcnn.tuning.paper.claims import (
    FEW_SEEDS,
    HOLDS,
    HOLDS_NOT,
    MISSING,
    SMALL,
    TOO_CLOSE,
    UNTRAINED,
    decisive,
    judge,
    read_evidence,
)
from srcnn.tuning.paper.table import Claim

Rows = dict[str, dict[float, NDArray[np.float64]]]

IMAGES = np.array([33.0, 34.5, 27.0, 33.1, 30.0])


def figures(*means: float, seeds: int = 5, noise: float = 0.01) -> dict[float, NDArray[np.float64]]:
    """Budgets 1, 2, ...: (seeds, images) whose images differ much and whose seeds differ by ``noise``."""
    generator = np.random.default_rng(0)
    shape = (seeds, len(IMAGES))
    return {
        float(i): IMAGES - IMAGES.mean() + mean + noise * generator.standard_normal(shape)
        for i, mean in enumerate(means, start=1)
    }


def claim(kind: Literal["order", "no_better", "reaches", "slower"], *rows: str, margin: float = 0.0) -> Claim:
    return Claim(text="so", kind=kind, rows=rows, margin=margin)


def verdict(given: Claim, rows: Rows, learnt: float | None = None, printed: float = 32.0) -> str:
    return judge(given, "ours", rows, printed=dict.fromkeys(rows, printed), learnt=learnt).verdict


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((32.0, 32.3), (31.9, 32.2), HOLDS),
        ((31.9, 32.2), (32.0, 32.3), HOLDS_NOT),
        ((32.0, 32.2), (32.0, 32.2), SMALL),  # no difference
        ((32.1, 32.2), (32.0, 32.2), TOO_CLOSE),  # none now, but 0.1 dB went in the last step
        ((32.3, 32.25), (32.0, 32.2), UNTRAINED),  # ahead by 0.05, but 0.25 of the lead went in the last step
        ((31.0, 32.1), (31.5, 32.2), UNTRAINED),  # behind by 0.1 and catching up
        ((32.3,), (32.2,), HOLDS),  # one budget has no last step
    ],
)
def test_an_order_holds_where_the_interval_and_the_next_step_say_so(
    a: tuple[float, ...], b: tuple[float, ...], expected: str
) -> None:
    assert verdict(claim("order", "a", "b"), {"a": figures(*a), "b": figures(*b)}) == expected


def test_an_order_of_three_needs_both_steps() -> None:
    rows = {"a": figures(32.4, 32.6), "b": figures(32.2, 32.4), "c": figures(32.2, 32.4)}
    assert verdict(claim("order", "a", "b", "c"), rows) == SMALL
    assert verdict(claim("order", "a", "b"), rows) == HOLDS
    rows["c"] = figures(32.3, 32.5)
    assert verdict(claim("order", "a", "b", "c"), rows) == HOLDS_NOT


@pytest.mark.parametrize(("noise", "expected"), [(0.005, SMALL), (0.05, TOO_CLOSE)])
def test_a_small_difference_is_decided_where_its_interval_is_small(noise: float, expected: str) -> None:
    """Schuirmann's test of equivalence: the whole interval within 0.02 dB of zero."""
    rows = {"a": figures(32.0, 32.2, noise=noise), "b": figures(32.0, 32.2, noise=noise)}
    rows["b"] = {length: array[::-1] for length, array in rows["b"].items()}  # else seed by seed the same
    assert verdict(claim("order", "a", "b"), rows) == expected
    rows["a"] = figures(32.05, 32.25, noise=noise)
    expected = HOLDS_NOT if noise < 0.01 else TOO_CLOSE  # a claim with a margin is not about zero
    assert verdict(claim("no_better", "a", "b", margin=0.03), rows) == expected


def test_networks_that_have_not_learnt_say_nothing() -> None:
    rows = {"a": figures(30.9, 31.0), "b": figures(30.7, 30.8)}
    assert verdict(claim("order", "a", "b"), rows) == HOLDS
    assert verdict(claim("order", "a", "b"), rows, learnt=31.4) == UNTRAINED


@pytest.mark.parametrize(("deep", "expected"), [(32.0, HOLDS), (32.04, HOLDS), (32.1, HOLDS_NOT), (31.5, HOLDS)])
def test_no_better_allows_a_margin(deep: float, expected: str) -> None:
    rows = {"deep": figures(deep - 0.3, deep), "shallow": figures(31.7, 32.0)}
    assert verdict(claim("no_better", "deep", "shallow", margin=0.06), rows) == expected


def test_slower_looks_at_the_shortest_budget() -> None:
    rows = {"deep": figures(31.0, 32.3), "shallow": figures(31.5, 32.2)}
    assert verdict(claim("slower", "deep", "shallow"), rows) == HOLDS
    assert verdict(claim("slower", "shallow", "deep"), rows) == HOLDS_NOT


def test_a_printed_figure_is_reached_within_its_margin() -> None:
    rows = {"a": figures(31.9, 31.95)}
    assert verdict(claim("reaches", "a", margin=0.1), rows) == HOLDS
    assert verdict(claim("reaches", "a", margin=0.02), rows) == UNTRAINED  # it would be there after another such step
    assert verdict(claim("reaches", "a"), rows, printed=32.5) == HOLDS_NOT


def test_a_figure_that_was_never_printed_decides_nothing() -> None:
    found = judge(claim("reaches", "a"), "ours", {"a": figures(31.9, 31.95)}, printed={}, learnt=None)
    assert (found.verdict, found.since) == (MISSING, None)
    assert "no printed figure" in found.evidence


def test_where_a_claim_turns_and_what_is_missing() -> None:
    rows = {"a": figures(31.0, 32.2, 32.5), "b": figures(31.5, 32.1, 32.4)}
    found = judge(claim("order", "a", "b"), "ours", rows, printed={}, learnt=None)
    assert found.verdict == HOLDS
    assert found.since == 2.0
    gone = judge(claim("order", "a", "c"), "ours", rows, printed={}, learnt=None)
    assert gone.verdict == MISSING
    assert "no finished run of c" in gone.evidence
    uneven = {"a": figures(32.0, seeds=6), "b": figures(31.0, seeds=5)}
    assert judge(claim("order", "a", "b"), "ours", uneven, printed={}, learnt=None).verdict == HOLDS


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_a_verdict_needs_five_seeds(seeds: int) -> None:
    """The percentile bootstrap called a lead sure that two seeds could not show."""
    rows = {"a": figures(32.0, 32.3, seeds=seeds), "b": figures(31.9, 32.2, seeds=seeds)}
    found = judge(claim("order", "a", "b"), "ours", rows, printed={}, learnt=None)
    assert found.verdict == FEW_SEEDS
    assert f"{seeds} seed" in found.evidence


def test_a_lead_that_fails_a_paired_t_test_over_seeds_is_not_sure() -> None:
    """Three seeds of one sign, far apart: t = 2.4 with two degrees of freedom, p = 0.14. The bootstrap saw no chance in it."""
    lead = np.array([0.005, 0.06, 0.03, 0.001, 0.002])[:, None]
    rows = {"a": {1.0: IMAGES + lead + 0.001 * np.arange(5)}, "b": {1.0: IMAGES + np.zeros((5, 1))}}
    assert stats.ttest_1samp(lead.ravel(), 0.0).pvalue > 0.05
    assert verdict(claim("order", "a", "b"), rows) == TOO_CLOSE


def test_a_claim_on_the_tables_images_may_be_unsure_of_others() -> None:
    """Ahead by the same half dB on one image of five, from every seed: sure of these five, not of photographs at large."""
    lead = np.array([0.5, 0.0, 0.0, 0.0, 0.0]) + 0.001 * np.arange(5)[:, None]
    rows = {"a": {1.0: IMAGES + lead}, "b": {1.0: IMAGES + np.zeros((5, 1))}}
    found = judge(claim("order", "a", "b"), "ours", rows, printed={}, learnt=None)
    assert (found.verdict, found.general) == (HOLDS, False)
    assert "over images too [-" in found.evidence
    rows["a"] = {1.0: IMAGES + 0.1 + lead / 100}
    assert judge(claim("order", "a", "b"), "ours", rows, printed={}, learnt=None).general


@pytest.mark.parametrize("kind", ["order", "no_better", "reaches", "slower"])
@pytest.mark.parametrize("seeds", [1, 5])
def test_the_evidence_can_be_read_again(kind: Literal["order", "no_better", "reaches", "slower"], seeds: int) -> None:
    rows = {"a, x1 - y": figures(32.3, 32.5, seeds=seeds), "b": figures(32.2, 32.4, seeds=seeds)}
    found = judge(claim(kind, *rows, margin=0.05), "ours", rows, printed=dict.fromkeys(rows, 32.0), learnt=33.0)
    assert found.seeds == seeds
    read = read_evidence(found.evidence)
    expected = {
        "order": ["a, x1 - y - b"],
        "no_better": ["a, x1 - y - b"],
        "reaches": ["a, x1 - y - 32.00", "b - 32.00"],
        "slower": ["a, x1 - y - b at the shortest budget"],
    }
    assert [one.of for one in read] == expected[kind]
    assert [bool(one.interval) for one in read] == [seeds > 1] * len(read)
    assert {one.margin for one in read} == {0.05 if kind == "no_better" else None}
    assert all(one.low <= one.mean <= one.high and one.interval in found.evidence for one in read)


def test_a_claim_that_is_not_measured_has_no_difference() -> None:
    found = judge(claim("order", "a", "b"), "ours", {"a": figures(32.0)}, printed={}, learnt=None)
    assert (found.verdict, found.seeds, read_evidence(found.evidence)) == (MISSING, 0, [])
    assert decisive(MISSING, []) is None


def test_the_lowest_difference_decides_and_for_a_claim_that_does_not_hold_the_one_below_the_bound() -> None:
    sure, wide, below = read_evidence(
        "a - b: +0.050 [+0.040, +0.060] dB; b - c: +0.100 [-0.400, +0.600] dB; c - d: -0.200 [-0.300, -0.100] dB"
    )
    assert decisive(HOLDS, [sure, wide]) is wide
    assert decisive(TOO_CLOSE, [sure, wide]) is wide
    assert decisive(HOLDS_NOT, [sure, wide, below]) is below
