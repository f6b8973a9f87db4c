"""Figures of a replay as data, and their summary over tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.figures import RANDOM_SHARES, SHARES, Replayed, figures, over_tables, table_data
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.regret import repeat, worst_regret
from srcnn.tuning.replay.simulator import table_cost
from srcnn.tuning.replay.trace import Trace
from srcnn.tuning.space.space import Space

from curve_tables import EPOCHS, flat_table, make_table


def test_the_table_on_which_something_was_developed_says_so(space: Space) -> None:
    table = make_table(space)
    assert table_data(Replayed("t", table, TableTruth.of(table)))["developed_on"] is False
    told = CurveTable(space, EPOCHS, table.params, table.curves, {"developed_on": "the first rung"})
    assert table_data(Replayed("t", told, TableTruth.of(told)))["developed_on"] == "the first rung"


def test_several_tables_have_a_summary(space: Space) -> None:
    tables = [make_table(space), flat_table(space, np.linspace(0.5, 1.2, 24)[:, None] + np.array([-0.01, 0.0, 0.01]))]
    methods = [METHODS["random"], METHODS["stock"]]
    done = []
    for i, table in enumerate(tables):
        one = Replayed(str(i), table, TableTruth.of(table))
        for m in methods:
            one.traces[m.name, 2] = repeat(table, m, 2, 5, truth=one.truth)
        done.append(one)
    lines = over_tables(done, methods, [2])
    each = [figures(one, methods, [2]) for one in done]
    assert [line["method"] for line in lines] == ["random", "stock"]
    assert each[0][0]["at"] == pytest.approx([share * table_cost(tables[0]) for share in SHARES])
    for i, line in enumerate(lines):
        assert line["tables"] == 2
        assert line["regret"][2][0] == pytest.approx((each[0][i]["regret"][2][0] + each[1][i]["regret"][2][0]) / 2)
        width = [e[i]["regret"][2][2] - e[i]["regret"][2][0] for e in each]
        assert line["regret"][2][2] - line["regret"][2][0] == pytest.approx(math.hypot(*width) / 2)
    assert lines[1]["of"]["stock"][0] == pytest.approx(1.0)


def test_regret_is_given_at_shares_of_what_random_search_needs(space: Space) -> None:
    table = make_table(space)
    one = Replayed("t", table, TableTruth.of(table))
    for name in ("random", "random+asha"):
        one.traces[name, 1] = repeat(table, METHODS[name], 1, 7, truth=one.truth)
    needed = one.random_compute(1)
    assert needed == np.median([step.compute for t in one.traces["random", 1] if (step := t.reached()) is not None])
    found = one.regret_of_random("random+asha", 1)
    assert found is not None
    assert needed is not None
    for place, part in enumerate(RANDOM_SHARES):
        worst = worst_regret(one.truth, table)
        by_hand = [trace.regret(part * needed, worst) for trace in one.traces["random+asha", 1]]
        assert found[place][0] == pytest.approx(np.mean(by_hand))
    line = figures(one, [METHODS["random+asha"]], [1])[0]
    assert line["regret_of_random"] == found
    assert line["random_compute"] == needed
    assert set(line["of"]) == {"random", "random+asha"}


def test_without_random_search_nothing_is_given_relative_to_it(space: Space) -> None:
    table = make_table(space)
    one = Replayed("t", table, TableTruth.of(table))
    one.traces["stock", 1] = repeat(table, METHODS["stock"], 1, 2, truth=one.truth)
    assert one.random_compute(1) is None
    assert one.regret_of_random("stock", 1) is None
    assert over_tables([one, one], [METHODS["stock"]], [1])[0]["regret_of_random"] is None


def test_where_random_search_does_not_arrive_the_cost_of_the_table_stands(space: Space) -> None:
    table = make_table(space)
    one = Replayed("t", table, TableTruth.of(table))
    one.traces["random", 1] = [Trace(), Trace()]
    assert one.random_compute(1) == table_cost(table)
