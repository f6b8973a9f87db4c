"""Configurations that have not been run, as candidates for the next trial."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence, Set
from typing import Any

from srcnn.errors import ConfigError
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space

__all__ = ["Candidates"]

_POOL = 300  # number of random candidates if the space is not a small grid
_CHILDREN = 20  # number of variations of each of the best configurations
_GRID = 2000  # maximum size of a grid of which all configurations are candidates


class Candidates:
    """Draws candidates from a search space.

    Args:
        space: search space.
        source: random number generator.
    """

    def __init__(self, space: Space, source: random.Random) -> None:
        self._space, self._source = space, source
        self.names = list(space.parameters)
        sizes = [len(p.choices) if isinstance(p, Categorical) else math.inf for p in space.parameters.values()]
        self._grid = space.grid() if math.prod(sizes) <= _GRID else None

    def key(self, params: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of a configuration in the order of the parameters, for sets of those that were run."""
        return tuple(params.get(name) for name in self.names)

    def draw(
        self, ran: Set[tuple[Any, ...]], fixed: Mapping[str, Value], parents: Sequence[Mapping[str, Value]]
    ) -> list[dict[str, Value]]:
        """Return candidates in random order. All have the fixed values, and none has been run.

        Args:
            ran: keys of the configurations that were run.
            fixed: values that all candidates have.
            parents: best configurations, which are varied in one parameter unless all configurations are candidates.
        """
        if self._grid is not None:
            rows = self._source.sample(self._grid, len(self._grid))
        else:
            rows = [self._space.draw(self._source, fixed) for _ in range(_POOL)]
            for parent in parents:
                for _ in range(_CHILDREN):
                    drawn_anew = self._source.choice(self.names)
                    kept = {name: value for name, value in parent.items() if name != drawn_anew}
                    rows.append(self._space.draw(self._source, {**kept, **fixed}))
        fits = [row for row in rows if all(row.get(name, value) == value for name, value in fixed.items())]
        return [row for row in fits if self.key(row) not in ran]

    def first_allowed(self, rows: Sequence[dict[str, Value]]) -> dict[str, Value] | None:
        """Return the first row that is a valid configuration and satisfies the constraints."""
        for row in rows:
            try:
                config = self._space.to_config(row)
            except ConfigError:
                continue
            if not self._space.constraints.broken_by(config):
                return row
        return None
