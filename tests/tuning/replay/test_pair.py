"""The searcher and the scheduler of each method."""

from __future__ import annotations

import pytest
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from srcnn.errors import ConfigError
from srcnn.tuning.algorithms.early_stopping import PerScale
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.replay.methods import METHODS, parse_method
from srcnn.tuning.replay.pair import make_pair
from srcnn.tuning.replay.random_order import RandomOrder
from srcnn.tuning.replay.top_k import TopK
from srcnn.tuning.space.space import Space

from curve_tables import make_table


@pytest.mark.parametrize(
    ("name", "searcher", "scheduler"),
    [
        ("ours", StudySearcher, PerScale),
        ("stock", OptunaSearch, ASHAScheduler),
        ("random+asha", RandomOrder, PerScale),
        ("top-k", RandomOrder, TopK),
        ("tpe+top-2-of-5", StudySearcher, TopK),
    ],
)
def test_a_pair_has_the_real_classes(
    space: Space, name: str, searcher: type[Searcher], scheduler: type[object]
) -> None:
    table = make_table(space)
    pair = make_pair(table, parse_method(name), 1)
    assert type(pair.searcher) is searcher
    assert type(pair.scheduler) is scheduler
    assert pair.params_of(pair.searcher.suggest("0")) in table.params


def test_a_configuration_that_is_kept_is_the_one_that_the_space_makes(space: Space) -> None:
    checked = make_pair(make_table(space), METHODS["tpe"], 1).searcher._space
    values = space.grid()[3]
    assert checked.to_config(values) is checked.to_config(dict(values))
    assert checked.to_config(values) == space.to_config(values)
    assert checked.to_config(values, seed=7).seed == 7
    with pytest.raises(ConfigError):
        checked.to_config({**values, "learning_rate": -1.0})
