"""The drawn patterns: always the same, and what ships does not fail on them."""

from __future__ import annotations

import numpy as np
import pytest

from srcnn.champions import load_champion
from srcnn.champions.patterns import MOST_BEHIND, leads, patterns
from srcnn.champions.shipped import SCALES

from small_network import small_network


def test_the_patterns_are_black_and_white_and_always_the_same() -> None:
    for (name, image), (again, same) in zip(patterns(), patterns(), strict=True):
        assert name == again
        np.testing.assert_array_equal(image, same)
        assert image.shape == (240, 240, 3)
        assert image.dtype == np.uint8
        assert set(np.unique(image)) == {0, 255}
    squares = dict(patterns())["squares of 8 pixels"][..., 0]
    np.testing.assert_array_equal(squares, np.kron(squares[::8, ::8], np.ones((8, 8))))


@pytest.mark.parametrize("scale", SCALES)
def test_no_network_that_ships_fails_on_one(scale: int) -> None:
    assert min(leads(load_champion(scale)).values()) >= -MOST_BEHIND


def test_an_untrained_network_fails() -> None:
    assert max(leads(small_network(scale=2)).values()) < -MOST_BEHIND
