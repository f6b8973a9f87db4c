"""SMAC as a method: refused without its package, and real where it is installed."""

from __future__ import annotations

import importlib.util

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.replay.methods import parse_method
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.replay.smac_asker import SmacAsker
from srcnn.tuning.space.space import Space

from curve_tables import make_table


def test_without_the_package_the_method_is_refused(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for refused in (lambda: parse_method("smac"), lambda: SmacAsker(space, 9, 0)):
        with pytest.raises(ConfigError, match=r"needs the package smac .*, which is not installed"):
            refused()


@pytest.mark.skipif(importlib.util.find_spec("smac") is None, reason="SMAC is not installed")
@pytest.mark.filterwarnings("ignore")
def test_smac_finds_the_best_of_a_small_table(space: Space) -> None:
    table = make_table(space)
    trace = replay(table, parse_method("smac"), 2, seed=1)
    assert trace.reached() is not None
    assert trace.resumed > 0
    assert trace.trials == len(table.params)
    assert replay(table, parse_method("smac"), 2, seed=1) == trace
