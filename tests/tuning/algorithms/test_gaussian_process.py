"""The process interpolates, and knows where it does not know."""

from __future__ import annotations

import math

import numpy as np
import pytest

from srcnn.tuning.algorithms.gaussian_process import GaussianProcess


def test_the_process_interpolates_and_knows_where_it_does_not_know() -> None:
    at = np.linspace(0, 1, 9)[:, None]
    process = GaussianProcess(1)
    for _ in range(20):  # as a search does: each answer goes on from the scales of the last
        process.fit([at], np.sin(3 * at[:, 0]), np.zeros(9))
    mean, spread = process.predict([np.array([[0.3], [3.0]])])
    assert mean[0] == pytest.approx(math.sin(0.9), abs=0.05)
    assert spread[1] > 3 * spread[0]
