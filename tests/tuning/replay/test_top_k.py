"""Top-k after one epoch: who continues, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.replay.methods import parse_method
from srcnn.tuning.replay.random_order import RandomOrder
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.replay.top_k import TopK
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import FAILED
from srcnn.tuning.trials.spec import TrialSpec

from curve_tables import EPOCHS, flat_table


def reports(table: CurveTable, text: str, workers: int = 1) -> list[tuple[int, int]]:
    """Row of the trial and epoch of every report of a replay, in their order."""
    seen: list[tuple[int, int]] = []
    judge = TopK.on_trial_result

    def note(self: TopK, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        seen.append((trial.row, result["epoch"]))
        return judge(self, tune_controller, trial, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TopK, "on_trial_result", note)
        replay(table, parse_method(text), workers, seed=4)
    return seen


def rows_in_order(table: CurveTable) -> list[int]:
    order = RandomOrder(table.space, 4)
    drawn = [order.suggest(str(i)) for i in range(len(table.params))]
    return [table.params.index(TrialSpec.from_tune(found).params) for found in drawn if isinstance(found, dict)]


def test_a_round_trains_its_best_to_the_end_before_the_next_one(space: Space) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 24)[:, None])
    order = rows_in_order(table)
    seen = reports(table, "random+top-2-of-6")
    for start in range(0, 24, 6):
        first = order[start : start + 6]
        best = sorted(first, reverse=True)[:2]
        expected = [(row, 1) for row in first] + [(row, epoch) for row in best for epoch in range(2, EPOCHS + 1)]
        assert seen[: len(expected)] == expected
        del seen[: len(expected)]
    # Nothing is new any more: those left behind follow, the best first.
    left = [row for row, epoch in seen if epoch == EPOCHS]
    assert left == sorted(left, reverse=True)
    assert len(left) == 24 - 8


def test_a_failed_trial_does_not_hold_up_its_round(space: Space) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 24)[:, None])
    order = rows_in_order(table)
    dead = (Curve(1, (FAILED,), (1.0,), (100.0,)),)
    curves = tuple(dead if row == order[1] else some for row, some in enumerate(table.curves))
    table = CurveTable(space, EPOCHS, table.params, curves, {})
    seen = reports(table, "random+top-1-of-3")
    best = max(order[0], order[2])
    assert seen[:4] == [(order[0], 1), (order[1], 1), (order[2], 1), (best, 2)]


def test_a_round_of_failed_trials_continues_none(space: Space) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 24)[:, None])
    order = rows_in_order(table)
    dead = (Curve(1, (FAILED,), (1.0,), (100.0,)),)
    curves = tuple(dead if row in order[:2] else some for row, some in enumerate(table.curves))
    seen = reports(CurveTable(space, EPOCHS, table.params, curves, {}), "random+top-1-of-2")
    assert seen[:4] == [(order[0], 1), (order[1], 1), (order[2], 1), (order[3], 1)]


@pytest.mark.parametrize("workers", [5, 1000])
def test_no_worker_waits_for_a_round(space: Space, workers: int) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 24)[:, None])
    seen = reports(table, "random+top-2-of-6", workers)
    assert sorted(seen) == [(row, epoch) for row in range(24) for epoch in range(1, EPOCHS + 1)]
    first = [place for place, (_, epoch) in enumerate(seen) if epoch == 1]
    assert first[:workers] == list(range(min(workers, 24)))
