"""Predicted time of an epoch, by the size of a network and by the times of the trials of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from srcnn.errors import ConfigError
from srcnn.model.network import count_macs
from srcnn.tuning.algorithms.candidates import Candidates
from srcnn.tuning.algorithms.gaussian_process import Array
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space

__all__ = ["EpochTimes"]

_SLOPE = 0.7  # expected slope in logarithms: small networks do not use a processor fully


class EpochTimes:
    """A line through the logarithms of size and time; its slope is shrunk to an expected one.

    Args:
        space: search space.
        candidates: its configurations.
    """

    def __init__(self, space: Space, candidates: Candidates) -> None:
        self._space, self._candidates = space, candidates
        self._known: dict[tuple[Any, ...], float] = {}

    def macs(self, params: Mapping[str, Value]) -> float:
        """Return the operations per pixel of the large image of a configuration; 1 if it is invalid."""
        key = self._candidates.key(params)
        if key not in self._known:
            try:
                self._known[key] = count_macs(self._space.to_config(params))
            except ConfigError:
                self._known[key] = 1.0
        return self._known[key]

    @staticmethod
    def predict(measured: Sequence[tuple[float, float]], macs: Array) -> Array:
        """Return the time of an epoch for some networks, in seconds.

        Args:
            measured: operations per pixel, and seconds of an epoch, of trials; empty: one second each.
            macs: operations per pixel of the networks.
        """
        if not measured:
            return np.ones(len(macs))
        x, y = np.log(np.array(measured)).T
        apart = x - x.mean()
        slope = (float(apart @ (y - y.mean())) + _SLOPE) / (float(apart @ apart) + 1.0)
        return np.asarray(np.exp(y.mean() + slope * (np.log(macs) - x.mean())))
