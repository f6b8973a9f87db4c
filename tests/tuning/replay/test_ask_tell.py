"""A library that asks for configurations with budgets, replayed with pauses."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.replay.ask_tell import Asked, AskTell
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.pair import Pair
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.replay.trace import Trace
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import FAILED

from curve_tables import EPOCHS, flat_table


class Halving:
    """Successive halving over some configurations: all for one epoch, the best third for three, one for all."""

    def __init__(self, rows: list[Any]) -> None:
        self.jobs = [Asked(dict(row), 1, number) for number, row in enumerate(rows)]
        self.told: list[tuple[int, int, float | None]] = []
        self.level: list[tuple[float, Asked]] = []
        self.open = 0

    def ask(self) -> Asked | None:
        if not self.jobs:
            return None
        self.open += 1
        return self.jobs.pop(0)

    def tell(self, asked: Asked, objective: float | None) -> None:
        self.told.append((asked.token, asked.epochs, objective))
        self.open -= 1
        if objective is not None:
            self.level.append((objective, asked))
        if not self.jobs and not self.open and asked.epochs < EPOCHS:
            best = sorted(self.level, key=lambda entry: -entry[0])[: max(1, len(self.level) // 3)]
            self.jobs = [Asked(a.params, a.epochs * 3, a.token) for _, a in best]
            self.level = []


def replayed(table: CurveTable, asker: Halving, workers: int = 1) -> Trace:
    with pytest.MonkeyPatch.context() as patch:
        both = AskTell(asker, EPOCHS)
        pair = Pair(both.searcher, both.scheduler, lambda config: config)
        patch.setattr("srcnn.tuning.replay.simulator.make_pair", lambda *_: pair)
        return replay(table, METHODS["random"], workers, seed=0)


def test_each_budget_continues_the_trial_of_the_one_before(space: Space) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 9)[:, None])
    asker = Halving(list(table.params))
    trace = replayed(table, asker)
    assert [(token, epochs) for token, epochs, _ in asker.told] == [
        *((row, 1) for row in range(9)),
        *((row, 3) for row in (8, 7, 6)),
        (8, 9),
    ]
    values = {(token, epochs): value for token, epochs, value in asker.told}
    assert all(values[row, e] == table.curves[row][0].objective[e - 1] for row, e in values)
    assert trace.trials == 9
    assert trace.steps[0].compute == 9 + 3 * 2 + 6
    # Then the library has nothing left, and the paused trials follow.
    assert trace.finished == 9
    assert trace.compute == 9 * EPOCHS


def test_a_failed_configuration_is_told_as_failed_and_never_continues(space: Space) -> None:
    table = flat_table(space, np.linspace(0.5, 1.5, 9)[:, None])
    dead = (Curve(1, (0.9, FAILED), (1.0, 1.0), (100.0, 200.0)),)
    table = CurveTable(space, EPOCHS, table.params, (*table.curves[:8], dead), {})
    asker = Halving(list(table.params))
    asker.jobs.append(Asked(dict(table.params[8]), 3, 8))  # asked again after it has failed
    asker.jobs[8] = Asked(dict(table.params[8]), 2, 8)
    trace = replayed(table, asker)
    assert [told for told in asker.told if told[0] == 8] == [(8, 2, None), (8, 3, None)]
    assert trace.finished == 8


def test_what_is_asked_twice_is_told_from_what_is_known(space: Space) -> None:
    table = flat_table(space, [[1.0], [1.1], [1.2]])
    asker = Halving(list(table.params))
    asker.jobs.insert(1, Asked(dict(table.params[0]), 1, 0))
    trace = replayed(table, asker)
    assert Counter((token, epochs) for token, epochs, _ in asker.told)[0, 1] == 2
    assert trace.trials == 3
    assert trace.compute == 3 * EPOCHS


def test_workers_that_wait_for_the_library_go_on_with_it(space: Space) -> None:
    """Where the library has nothing for a free worker at the moment and says that there is nothing left, all still finish."""
    table = flat_table(space, np.linspace(0.5, 1.5, 9)[:, None])
    assert replayed(table, Halving(list(table.params)), 100).finished == 9
