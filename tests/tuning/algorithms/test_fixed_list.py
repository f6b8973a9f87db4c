"""A fixed list is suggested in order, and what is left survives a snapshot."""

from __future__ import annotations

from pathlib import Path

from ray.tune.search import Searcher

from srcnn.config.training import TrainConfig
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.trials.spec import TrialSpec

TRIALS = [TrialSpec(TrainConfig(seed=seed), label=str(seed)) for seed in range(3)]


def test_trials_come_in_order_and_then_no_more(tmp_path: Path) -> None:
    first = Listed(TRIALS)
    found = first.suggest("a")
    assert isinstance(found, dict) and TrialSpec.from_tune(found) == TRIALS[0]
    first.save(str(tmp_path / "state"))
    again = Listed([])
    again.restore(str(tmp_path / "state"))
    for searcher in (first, again):
        rest = [searcher.suggest(name) for name in "bc"]
        assert [TrialSpec.from_tune(one).name for one in rest if isinstance(one, dict)] == ["1", "2"]
        assert searcher.suggest("d") == Searcher.FINISHED
