"""Predicted times grow with the network and follow what was measured."""

import random
from pathlib import Path

import numpy as np
import pytest

from srcnn.model.network import count_macs
from srcnn.tuning.algorithms.candidates import Candidates
from srcnn.tuning.algorithms.epoch_times import EpochTimes
from srcnn.tuning.space.space_file import load_space

from space_text import DEEP, write


def test_a_power_law_is_found() -> None:
    macs = np.array([1e3, 1e4, 1e5])
    measured = [(m, 2e-4 * m**0.9) for m in (5e2, 2e3, 8e3, 3e4, 2e5) for _ in range(20)]
    assert EpochTimes.predict(measured, macs) == pytest.approx(2e-4 * macs**0.9, rel=0.02)


def test_one_measurement_is_carried_on_by_the_expected_slope() -> None:
    found = EpochTimes.predict([(1e4, 3.0)], np.array([1e4, 1e5]))
    assert found == pytest.approx([3.0, 3.0 * 10**0.7])


def test_without_measurements_all_are_equal() -> None:
    assert EpochTimes.predict([], np.array([1.0, 2.0])).tolist() == [1.0, 1.0]


def test_the_size_of_a_configuration(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, DEEP))
    times = EpochTimes(space, Candidates(space, random.Random(0)))
    params = space.draw(random.Random(0))
    assert times.macs(params) == count_macs(space.to_config(params))
