"""Best so far against compute, and what random search would expect."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from srcnn.tuning.report.data.progress import FEWEST_RANDOM, expected_best, progress, random_draws
from srcnn.tuning.trials.decision import Decision
from srcnn.tuning.trials.outcome import Outcome

from report_parts import child, timed

RANDOM, MODEL = Decision("start", 0, "random"), Decision("start", 0, "model")


def test_reports_of_all_trials_count_in_the_order_of_time() -> None:
    a = timed(child("a", [0.5, 0.9]), 0, [10, 30], 30)
    b = timed(child("b", [0.7, 0.6]), 0, [20, 40], 40)
    found = progress([a, b, child("no times", [2.0])], 2e6, 0)
    assert found is not None
    assert found.seconds == (10, 20, 30, 40)
    assert found.trainings == (0.5, 1.0, 1.5, 2.0)
    assert found.gains == (0.5, 0.7, 0.9, 0.9)
    assert [(place, one.trial_id) for place, one in found.leaders] == [(0, "a"), (1, "b"), (2, "a")]
    assert progress([], 2e6, 0) is None


def test_random_search_draws_from_what_was_drawn_at_random() -> None:
    drawn = [timed(child(f"r{i}", [float(i)]), 0, [1], 1, RANDOM) for i in range(FEWEST_RANDOM)]
    chosen = [timed(child(f"m{i}", [9.0]), 0, [1], 1, MODEL) for i in range(3)]
    paper = timed(child("paper", [3.0], reference=True), 0, [1], 1)
    found = random_draws([*drawn, *chosen, paper])
    assert found is not None and found.at_random and sorted(found.gains) == [0, 1, 2, 3, 4] and found.estimated == 0
    found = random_draws([*drawn[1:], *chosen, paper])  # too few: all, but for the paper's, which nobody drew
    assert found is not None and not found.at_random and len(found.gains) == 7
    stopped = [timed(child(f"s{i}", [1.0], Outcome.STOPPED), 0, [1], 1, RANDOM) for i in range(FEWEST_RANDOM)]
    found = random_draws(stopped)
    assert found is not None and found.estimated == FEWEST_RANDOM
    assert random_draws(drawn[:2]) is None


def test_the_expected_best_is_that_of_every_possible_draw() -> None:
    gains = [0.3, 0.1, 0.7]
    for count in (1, 2, 3):
        every = [max(draw) for draw in itertools.product(gains, repeat=count)]
        assert expected_best(gains, [count])[0] == pytest.approx(np.mean(every))
