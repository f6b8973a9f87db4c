"""Intervals: known answers, and what pairing buys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from srcnn.tuning.statistics import bootstrap, bootstrap_difference


def test_the_mean_is_the_mean_and_lies_within() -> None:
    values = np.random.default_rng(1).normal(2.0, 0.5, (4, 30))
    found = bootstrap(values)
    assert found.mean == values.mean()
    assert found.low < found.mean < found.high


def test_of_one_seed_and_many_images_it_is_nearly_students_interval() -> None:
    values = np.random.default_rng(2).normal(0.0, 1.0, (1, 200))
    low, high = stats.t.interval(0.95, 199, loc=values.mean(), scale=stats.sem(values[0]))
    found = bootstrap(values)
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_without_spread_there_is_no_interval() -> None:
    found = bootstrap(np.full((3, 5), 1.25))
    assert found.low == pytest.approx(1.25)
    assert found.high == pytest.approx(1.25)


def test_a_small_lead_on_hard_and_easy_images_alike_is_sure() -> None:
    """The images differ by 5 dB, the two configurations by 0.05 dB on each: only a paired comparison can see that."""
    source = np.random.default_rng(3)
    hard = source.normal(30.0, 5.0, 12)
    a, b = (hard + lead + source.normal(0.0, 0.01, (3, 12)) for lead in (0.05, 0.0))
    difference = bootstrap_difference(a, b)
    assert difference.above_zero
    assert difference.mean == pytest.approx(0.05, abs=0.01)
    assert bootstrap(a).high - bootstrap(a).low > 1.0
    assert not bootstrap_difference(b, a).above_zero


def test_no_difference_is_not_sure() -> None:
    source = np.random.default_rng(4)
    a, b = source.normal(0.0, 0.1, (2, 3, 10))
    difference = bootstrap_difference(a, b)
    assert difference.low < 0 < difference.high
    assert str(difference).startswith(f"{difference.mean:.3f} [")


def test_configurations_with_other_numbers_of_seeds_compare_too() -> None:
    source = np.random.default_rng(5)
    difference = bootstrap_difference(
        source.normal(1.0, 0.1, (3, 10)), source.normal(0.0, 0.1, (1, 10)), paired_seeds=False
    )
    assert difference.above_zero


@pytest.mark.parametrize("level", [0.95])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(level: float) -> None:
    source = np.random.default_rng(6)
    hits = 0
    for _ in range(60):
        values = source.normal(0.0, 1.0, (1, 40))
        found = bootstrap(values)
        hits += found.low <= 0.0 <= found.high
    assert hits / 60 > level - 0.1
