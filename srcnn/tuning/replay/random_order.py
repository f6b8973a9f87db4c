"""Random search's suggestions, drawn once for all replays with the same space and seed.

The random sampler learns nothing, so that its suggestions are the same whatever the scheduler, the number of workers and the
results are. To draw them, with the rejection of repeated configurations, takes most of the time of such a replay.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import Any

from ray.tune.search import Searcher

from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import space_data
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import METRIC

__all__ = ["RandomOrder"]

_KEPT = 256  # number of sequences that are kept; one takes about a megabyte


class RandomOrder(Searcher):  # type: ignore[misc]
    """Searcher with the suggestions of `StudySearcher` and its random sampler.

    Args:
        space: search space.
        seed: seed of the sampler.
    """

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._sequence = _sequence(_Named(json.dumps(space_data(space)), space), seed)
        self._given = 0

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the next configuration, in Tune's form; FINISHED after the last one."""
        found = self._sequence.get(self._given)
        self._given += 1
        return str(Searcher.FINISHED) if found is None else found

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Ignore the end of a trial."""


class _Sequence:
    """Suggestions that are drawn when they are needed for the first time."""

    def __init__(self, searcher: StudySearcher) -> None:
        self._drawn: list[dict[str, Any]] = []
        self._searcher: StudySearcher | None = searcher

    def get(self, place: int) -> dict[str, Any] | None:
        """Return a suggestion by its place, from 0; None if there are fewer."""
        while place >= len(self._drawn) and self._searcher is not None:
            found = self._searcher.suggest(str(len(self._drawn)))
            if isinstance(found, dict):
                self._drawn.append(found)
            else:
                self._searcher = None
        return self._drawn[place] if place < len(self._drawn) else None


@dataclass(frozen=True)
class _Named:
    """A space that is compared by its text."""

    text: str
    space: Space = field(compare=False)


@functools.lru_cache(maxsize=_KEPT)
def _sequence(named: _Named, seed: int) -> _Sequence:
    return _Sequence(StudySearcher(named.space, seed, {}, sampler="random"))
