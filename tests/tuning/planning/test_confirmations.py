"""Sizes of a confirmation, the one asked for first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srcnn.tuning.planning.confirmations import confirmation_sizes, confirmations, smaller
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
    return plan_search(SearchSettings(**{**given, "enqueue": (), "time_budget": 1e9, **fields}))


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
