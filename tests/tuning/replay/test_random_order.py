"""Random suggestions from a kept sequence are those of the real searcher."""

from __future__ import annotations

from ray.tune.search import Searcher

from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.replay.random_order import RandomOrder
from srcnn.tuning.space.space import Space


def test_the_sequence_is_that_of_the_real_searcher_every_time(space: Space) -> None:
    real = StudySearcher(space, 5, {}, sampler="random")
    first, second, other = RandomOrder(space, 5), RandomOrder(space, 5), RandomOrder(space, 6)
    drawn = []
    for place in range(24):
        drawn.append(real.suggest(str(place)))
        assert first.suggest(str(place)) == drawn[-1]
        first.on_trial_complete(str(place), None)
    assert real.suggest("24") == first.suggest("24") == first.suggest("25") == Searcher.FINISHED
    assert [second.suggest(str(place)) for place in range(24)] == drawn
    assert [other.suggest(str(place)) for place in range(24)] != drawn
