"""Regret is judged by runs that a search did not see."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.regret import repeat
from srcnn.tuning.space.space import Space

from curve_tables import EPOCHS, flat_table


def test_a_lucky_cell_is_no_finishing_line(space: Space) -> None:
    """24 configurations of the same worth, one of them with a lucky seed: all of them are the best, and no search needs more
    than its first trial. The plain maximum of the means makes it a race to the lucky one, 12.5 trials on average."""
    gains = 1.0 + 0.05 * np.random.default_rng(1).standard_normal((24, 3))
    gains[7, 1] += 0.2
    table = flat_table(space, gains)
    assert table.quality.argmax() == 7
    assert (table.quality >= table.quality.max() - 0.02).sum() == 1
    truth = TableTruth.of(table)
    assert truth.among_best.sum() >= 20
    assert truth.best < table.quality.max() - 0.02
    traces = repeat(table, METHODS["random"], 1, 60, truth=truth)
    ranks = [step.compute / EPOCHS for t in traces if (step := t.reached()) is not None]
    assert len(ranks) == 60
    assert np.mean(ranks) < 3


def test_regret_is_judged_by_runs_that_the_search_did_not_see(space: Space) -> None:
    """By hand: the lucky run of 1.3 is worth the 1.0 of the others; chosen by two seeds, the best is worth (1.1 + 1.1 + 1.1) / 3,
    except that the lucky run wins where it may choose, and is then worth 1.0."""
    table = flat_table(space, [[1.3, 1.0, 1.0], [1.1, 1.1, 1.1], [0.5, 0.5, 0.5]])
    truth = TableTruth.of(table)
    assert truth.best == pytest.approx((1.1 + 1.0 + 1.0) / 3)
    assert truth.regret[0] == pytest.approx((truth.best - 1.0, truth.best - 1.15, truth.best - 1.15))
    assert truth.degrees == 6
    assert truth.noise == pytest.approx(math.sqrt(0.06 / 6))
    # t(0.95, 6) = 1.943 of the textbook, of the difference between two means of three.
    assert truth.usual_tolerance == pytest.approx(1.943 * 0.1 * math.sqrt(2 / 3), abs=1e-4)
    assert list(truth.among_best) == [True, True, False]
    assert TableTruth.of(table, 0.5).usual_tolerance == 0.5


def test_the_figure_of_the_best_and_those_that_count_hold_in_simulation(space: Space) -> None:
    """24 known truths, noise of 0.07 dB, 300 tables: the plain maximum is too high; 90 % of the best are in the set."""
    source = np.random.default_rng(5)
    worth = np.minimum(np.linspace(0.6, 1.3, 24), 1.2)  # four are equally good
    best, plain, inside = [], [], []
    for _ in range(300):
        table = flat_table(space, worth[:, None] + 0.07 * source.standard_normal((24, 3)))
        truth = TableTruth.of(table)
        best.append(truth.best - 1.2)
        plain.append(table.quality.max() - 1.2)
        inside.append(truth.among_best[20:].mean())
        assert not truth.among_best[:9].any()
    assert np.mean(plain) > 0.03
    assert -0.03 < np.mean(best) < 0.01
    assert np.mean(inside) > 0.9


def test_one_run_each_tells_no_noise(space: Space) -> None:
    table = flat_table(space, [[1.0], [1.1], [0.9]])
    truth = TableTruth.of(table)
    assert math.isnan(truth.noise)
    assert list(truth.among_best) == [False, True, False]
    assert truth.regret[0] == pytest.approx((0.1,))
