"""The comparison finds what it is there for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from srcnn.errors import CheckpointError
from srcnn.export.parity import SIZES, TOLERANCE, check, largest_difference
from srcnn.export.plain_network import expected

from small_network import small_network

NETWORK = small_network(scale=2)


def right(small: NDArray[np.float32]) -> NDArray[np.float32]:
    return expected(NETWORK, small[0].transpose(1, 2, 0)).transpose(2, 0, 1)[None]


def test_three_sizes_are_compared_and_one_wrong_pixel_is_found() -> None:
    seen = []

    def wrong(small: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(small.shape[2:])
        large = right(small).copy()
        large[0, 0, -1, -1] += 0.01 * len(seen)
        return large

    assert largest_difference(NETWORK, right) == 0
    assert largest_difference(NETWORK, wrong) == pytest.approx(0.03, rel=1e-3)
    assert tuple(seen) == SIZES
    assert largest_difference(NETWORK, lambda small: right(small)[..., :-1]) == math.inf


@pytest.mark.parametrize("difference", [2 * TOLERANCE, math.inf, math.nan])
def test_too_large_a_difference_is_an_error(difference: float) -> None:
    assert check(Path("a.onnx"), TOLERANCE) == TOLERANCE
    with pytest.raises(CheckpointError, match=r"a\.onnx: not written, because its output must agree .* but differs by"):
        check(Path("a.onnx"), difference)
