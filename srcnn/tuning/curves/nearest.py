"""Lookup of the recorded configuration for a suggested one: the same, or the nearest in the table.

The distance is a sum over the parameters. For numbers it is the difference as a fraction of the range, on a logarithmic
axis if the space has one. For categories, and for a parameter that only one of the two has, it is 0 or 1.
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
    """The rows of a table, indexed by their values."""

    space: Space
    rows: dict[tuple[Value, ...], int]
    places: dict[
        str, NDArray[np.float64]
    ]  #: positions of the rows on each parameter's axis; NaN if a row lacks the parameter
    found: dict[tuple[Value, ...], int] = field(default_factory=dict)

    @classmethod
    def of(cls, table: CurveTable) -> Self:
        """Build the index of a table."""
        space = table.space
        keys = {_key(space, params): row for row, params in enumerate(table.params)}
        places = {
            name: np.array([_place(space, name, params.get(name)) for params in table.params])
            for name in space.parameters
        }
        return cls(space, keys, places)

    def row(self, params: Mapping[str, Value]) -> tuple[int, bool]:
        """Return the nearest row for some values, and whether it has exactly these values."""
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
    """Return the position of a value: index of a choice, or fraction of the range; NaN if there is no value."""
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
