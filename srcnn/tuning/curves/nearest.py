"""The recorded configuration that stands for a suggested one: itself, or the nearest of the table.

The distance adds up over the parameters: the difference as a share of the range, in logarithms where the space has them,
for numbers; 0 or 1 for categories and for a parameter that one of the two lacks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space

__all__ = ["Nearest"]


@dataclass
class Nearest:
    """Rows of a table by their values."""

    space: Space
    rows: dict[tuple[Value, ...], int]
    places: dict[str, NDArray[np.float64]]  #: of the rows, on each parameter's axis; NaN where a row lacks it
    found: dict[tuple[Value, ...], int] = field(default_factory=dict)

    @classmethod
    def of(cls, table: CurveTable) -> Self:
        """The rows of a table."""
        space = table.space
        keys = {_key(space, params): row for row, params in enumerate(table.params)}
        places = {
            name: np.array([_place(space, name, params.get(name)) for params in table.params])
            for name in space.parameters
        }
        return cls(space, keys, places)

    def row(self, params: Mapping[str, Value]) -> tuple[int, bool]:
        """The row that stands for some values, and whether it has these very values."""
        key = _key(self.space, params)
        if key in self.rows:
            return self.rows[key], True
        if key not in self.found:
            total = np.zeros(len(next(iter(self.places.values()))))
            for name, places in self.places.items():
                place = _place(self.space, name, params.get(name))
                apart = np.abs(places - place)
                if isinstance(self.space.parameters[name], Categorical):
                    apart = np.minimum(apart, 1.0)
                if math.isnan(place):
                    apart = np.where(np.isnan(places), 0.0, 1.0)
                total += np.nan_to_num(apart, nan=1.0)
            self.found[key] = int(total.argmin())
        return self.found[key], False


def _key(space: Space, params: Mapping[str, Value]) -> tuple[Value, ...]:
    return tuple(params.get(name) for name in space.parameters)


def _place(space: Space, name: str, value: Value) -> float:
    """Where a value lies: the number of a choice, or a share of the range; NaN where there is none."""
    parameter = space.parameters[name]
    if value is None:
        return math.nan
    if isinstance(parameter, Categorical):
        return float([repr(choice) for choice in parameter.choices].index(repr(value)))
    assert isinstance(value, int | float)
    low, high, at = float(parameter.low), float(parameter.high), float(value)
    if parameter.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return (at - low) / (high - low) if high > low else 0.0
