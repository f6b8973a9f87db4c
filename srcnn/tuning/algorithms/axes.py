"""Configurations as points: the order of numbers counts, also if they are choices (64, 128) or lists of sizes (9-1-5, 9-5-5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from srcnn.tuning.algorithms.gaussian_process import Array
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space

__all__ = ["Axes"]


class Axes:
    """Converts configurations to points, with one or more coordinates in [0, 1] for each parameter, -1 if it is inactive."""

    def __init__(self, space: Space) -> None:
        self._parameters = space.parameters
        self._choices = {
            name: dict(zip(map(repr, p.choices), _spread(p.choices), strict=True))
            for name, p in space.parameters.items()
            if isinstance(p, Categorical)
        }

    def places(self, rows: Sequence[Mapping[str, Any]]) -> list[Array]:
        """Return one array (rows, axes) for each parameter."""
        return [np.array([self._place(name, row) for row in rows], ndmin=2) for name in self._parameters]

    def _place(self, name: str, row: Mapping[str, Any]) -> list[float]:
        parameter = self._parameters[name]
        if isinstance(parameter, Categorical):
            known = self._choices[name]
            if name not in row:
                return [-1.0] * len(next(iter(known.values())))
            return known[repr(row[name])]
        if name not in row:
            return [-1.0]
        low, high, at = float(parameter.low), float(parameter.high), float(row[name])
        if parameter.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        return [(at - low) / (high - low) if high > low else 0.0]


def _spread(choices: Sequence[Value]) -> list[list[float]]:
    lists = [_numbers(choice) for choice in choices]
    if all(lists) and len({len(numbers) for numbers in lists}) == 1:
        table = np.array(lists, dtype=float)
        if (table > 0).all():
            table = np.log(table)
        table = table[:, np.ptp(table, axis=0) > 0]
        if table.shape[1]:
            return list(((table - table.min(axis=0)) / np.ptp(table, axis=0)).tolist())
    return [[float(i == j) / math.sqrt(2) for j in range(len(choices))] for i in range(len(choices))]


def _numbers(choice: Value) -> list[float]:
    if isinstance(choice, bool) or choice is None:
        return []
    if isinstance(choice, int | float):
        return [float(choice)]
    parts = choice.split("-")
    return [float(p) for p in parts] if all(p.isdigit() for p in parts) else []
