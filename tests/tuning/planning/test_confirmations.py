"""Sizes of a confirmation, the one asked for first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.planning.confirmations import confirmation_sizes, confirmations, ladder, smaller, training_after
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.planning.speed import Probe, Speed
from srcnn.tuning.planning.time_costs import deadline_of

#: A step takes 2 ms for a million multiply-accumulates, a look 1e-4 s a pixel, SSIM 1e-5.
SPEED = Speed(
    "a device", False, 1, (Probe("small", 1e6, 0.002, 1e3, 1e-4), Probe("large", 1e9, 2.0, 1e5, 1e-4)), 0.0, 1e-5
)


def plan(**fields: Any) -> Plan:
    given = {"name": "x", "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2, "budget": 60e6}
    return plan_search(SearchSettings(**{**given, "enqueue": (), "time_budget": 3e8, **fields}))


def test_sizes_fall_in_candidates_then_in_seeds(workplace: Path) -> None:
    ours = plan(best=3, confirm_seeds=4)
    sizes = confirmation_sizes(ours)
    assert [(s.best, s.seeds) for s in sizes] == [(3, 4), (2, 4), (1, 4), (1, 3), (1, 2)]
    assert sizes[0].trials == confirmations(ours)
    assert sizes[-1].trials == confirmations(smaller(ours, 1, 2))
    assert confirmation_sizes(plan(confirm=False)) == []
    late = deadline_of(plan(time_budget=60.0, confirm_budget=2400e6), SPEED, 1)
    assert late is not None and late.planned is None
    assert "there is none" in late.line(None)


def rungs(**fields: Any) -> list[tuple[Any, ...]]:
    return [(rung.finalists, rung.goes_on, rung.pixels / 1e6) for rung in ladder(plan(**fields))]


@pytest.mark.parametrize(("best", "finalists"), [(1, (3, 2)), (2, (6, 3)), (3, (9, 5)), (4, (12, 7))])
def test_a_large_confirmation_has_two_rungs_of_less_compute_than_its_last(
    workplace: Path, best: int, finalists: tuple[int, int]
) -> None:
    many, few = finalists
    found = rungs(best=best, confirm_budget=2400e6)
    assert found == [(many, few, pytest.approx(2400 / 9)), (few, best, 800)]
    assert sum(count * pixels for count, _, pixels in found) <= best * 2400


def test_the_nearer_the_budgets_the_fewer_rungs(workplace: Path) -> None:
    assert rungs(confirm_budget=540e6) == [(9, 5, 60), (5, 3, 180)]
    assert rungs(confirm_budget=539e6) == [(9, 3, pytest.approx(539 / 3))]
    assert rungs(confirm_budget=180e6) == [(9, 3, 60)]
    for budget in (None, 20e6, 60e6, 179e6):
        assert rungs(confirm_budget=budget) == []
    assert rungs(confirm_budget=2400e6, ladder="none") == rungs(confirm_budget=2400e6, confirm=False) == []


def test_a_given_ladder_is_used_as_far_as_there_are_trials(workplace: Path) -> None:
    assert rungs(confirm_budget=2400e6, ladder="20,8") == [(20, 8, pytest.approx(2400 / 9)), (8, 3, 800)]
    assert rungs(ladder="8") == [(8, 3, 60)]  # a rung below the search's own budget would tell less than the search
    scales = len(plan().space.scales)
    # Six trials per scale: the first rung would take all of them further.
    assert rungs(confirm_budget=2400e6, ladder="20,8", trials=6 * scales) == [(6, 3, 800)]
    assert rungs(confirm_budget=2400e6, trials=3 * scales) == []


def test_a_short_time_budget_leaves_out_rungs_first(workplace: Path) -> None:
    ours = plan(confirm_budget=2400e6, confirm_seeds=2)
    sizes = confirmation_sizes(ours)
    assert [(s.best, len(s.ladder)) for s in sizes] == [(3, 2), (3, 1), (3, 0), (2, 0), (1, 0)]
    assert len({s.count for s in sizes[:3]}) == 1
    first = sizes[0].ladder[0]
    assert first.ratio == pytest.approx(2400 / 9 / 60)
    assert first.trials == dict.fromkeys(ours.space.scales, 9)


def test_training_after_the_search_is_counted_in_trainings_of_its_trials(workplace: Path) -> None:
    ours = plan(time_budget=None, trials=36, best=2, confirm_seeds=2, confirm_budget=300e6)
    scales = len(ours.space.scales)
    rung = 6 * 100e6  # six finalists for each scale
    last = (
        2 * 2 + 2
    ) * 300e6  # two configurations with two seeds, then the best with two more; no reference in this space
    assert training_after(ours) == pytest.approx(scales * (rung + last) / (36 * 60e6))
    assert training_after(plan(time_budget=None, confirm=False)) == 0.0
    assert training_after(plan(confirm_budget=300e6)) == 0.0  # time is what it divides, not trials
