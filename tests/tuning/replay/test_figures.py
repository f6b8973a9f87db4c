"""Figures of a replay as data, and their summary over tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.figures import SHARES, Replayed, figures, over_tables, table_data
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.regret import repeat
from srcnn.tuning.replay.simulator import table_cost
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
