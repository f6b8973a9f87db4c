"""The drawn patterns: always the same, and what ships does not fail on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from srcnn.champions import load_champion
from srcnn.champions.shipped import SCALES
from srcnn.evaluation.drawn_patterns import failure, leads, patterns, worst
from srcnn.evaluation.pattern_limit import MOST_BEHIND, NOT_MEASURABLE, is_too_far_behind

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
    found = leads(load_champion(scale))
    assert worst(found)[1] >= -MOST_BEHIND
    assert failure(found) == ""


def test_an_untrained_network_fails() -> None:
    assert max(leads(small_network(scale=2)).values()) < -MOST_BEHIND


def test_a_network_fails_whose_weights_grow_without_bound() -> None:
    network = load_champion(3)
    measured = []
    for factor in (4.0, 1e30):  # saturated, and not finite
        with torch.no_grad():
            for layer in network.convolutions:
                layer.weight.mul_(factor)
        measured.append(worst(leads(network))[1])
    assert NOT_MEASURABLE < measured[0] < -MOST_BEHIND
    assert measured[1] == NOT_MEASURABLE
    assert all(map(is_too_far_behind, measured))


@pytest.mark.parametrize(("lead", "words"), [(-2.55, "2.5 dB"), (NOT_MEASURABLE, "output not finite")])
def test_a_failure_names_the_worst_pattern(lead: float, words: str) -> None:
    assert failure({"noise": -1.0, "rings": lead}) == (
        f"the network is more than 1 dB behind bicubic on a drawn pattern (rings: {words}): expect artefacts on text, line "
        "drawings and grids"
    )
