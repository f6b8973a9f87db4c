"""Intervals: known answers, coverage, and what pairing buys."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from srcnn.tuning.trials.intervals import Interval, components, difference, over_seeds, over_seeds_and_images


def test_over_seeds_it_is_students_interval() -> None:
    values = np.array([31.72, 31.75, 31.70])
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    found = over_seeds(values)
    assert (found.mean, found.low, found.high) == pytest.approx((values.mean(), low, high))
    images = np.array([[30.0, 33.44], [31.5, 32.0], [31.4, 32.0]])  # the same means, whatever the images
    assert over_seeds(images).high == pytest.approx(found.high)


def test_of_one_seed_nothing_is_said_of_seeds() -> None:
    found = over_seeds(np.array([[31.0, 32.0]]))
    assert found.mean == 31.5
    assert not found.bounded
    assert not found.above_zero
    assert str(found) == "31.500 (no interval from one figure)"


def test_of_one_seed_the_interval_is_over_images_and_of_one_image_over_seeds() -> None:
    values = np.random.default_rng(2).normal(0.0, 1.0, 7)
    low, high = stats.t.interval(0.95, 6, loc=values.mean(), scale=stats.sem(values))
    for shaped in (values[None], values[:, None]):
        found = over_seeds_and_images(shaped)
        assert (found.low, found.high) == pytest.approx((low, high))


def test_where_the_images_alone_vary_it_is_students_interval_over_images() -> None:
    """Seeds that change nothing add nothing: the classical answer is the t interval of the image means."""
    hard = np.array([33.0, 34.5, 27.0, 33.1, 30.0])
    found = over_seeds_and_images(np.repeat(hard[None], 3, axis=0))
    low, high = stats.t.interval(0.95, 4, loc=hard.mean(), scale=stats.sem(hard))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_mean_squares_are_those_of_an_analysis_of_variance_by_hand() -> None:
    found = components(np.array([[4.0, 6.0, 8.0], [6.0, 8.0, 13.0]]))
    # MS: rows 13.5, columns 15.5, rest 1.5.
    assert (found.seed**2, found.image**2, found.rest**2) == pytest.approx((4.0, 7.0, 1.5))


def test_without_spread_there_is_no_width() -> None:
    found = over_seeds_and_images(np.full((3, 5), 1.25))
    assert (found.low, found.high) == pytest.approx((1.25, 1.25))


def test_a_small_lead_on_hard_and_easy_images_alike_is_sure() -> None:
    """The images differ by 5 dB, the two configurations by 0.05 dB on each: only a paired comparison can see that."""
    source = np.random.default_rng(3)
    hard = source.normal(30.0, 5.0, 12)
    a, b = (hard + lead + source.normal(0.0, 0.01, (3, 12)) for lead in (0.05, 0.0))
    found = difference(a, b)
    assert found.above_zero
    assert found.mean == pytest.approx(0.05, abs=0.01)
    assert over_seeds_and_images(a).high - over_seeds_and_images(a).low > 1.0
    assert not difference(b, a).above_zero


def test_a_single_network_is_taken_as_it_is() -> None:
    source = np.random.default_rng(5)
    a, b = source.normal(1.0, 0.1, (3, 10)), source.normal(0.0, 0.1, (1, 10))
    assert difference(a, b).above_zero
    assert difference(a, b) == over_seeds_and_images(a - b)


def test_signs_and_formats() -> None:
    found = Interval(0.1234, -0.01, 0.25)
    assert found.signed() == "+0.123 [-0.010, +0.250]"
    assert found.text(".2f") == "0.12 [-0.01, 0.25]"
    assert found.minus(0.1).low == pytest.approx(-0.11)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("images", [1, 4, 9])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds: int, images: int) -> None:
    """A percentile bootstrap over 2 or 3 seeds covers 51 and 74 %; experiments/bench.py intervals measures more exactly."""
    source, runs = np.random.default_rng(6), 1500
    hits = 0
    for _ in range(runs):
        image = source.normal(0.0, 0.04, images) if images > 1 else np.zeros(1)
        values = source.normal(0.0, 0.02, (seeds, 1)) + image + source.normal(0.0, 0.05, (seeds, images))
        found = over_seeds_and_images(values)
        hits += found.low <= 0.0 <= found.high
    assert 0.93 <= hits / runs <= 0.98  # 0.006 is one standard deviation of this count
