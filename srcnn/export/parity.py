"""Comparison of an exported network with the evaluation protocol on random images of several sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import CheckpointError
from srcnn.export.plain_network import expected
from srcnn.model.network import SRCNN

__all__ = ["SIZES", "TOLERANCE", "check", "largest_difference"]

TOLERANCE = 1e-4  #: largest difference to the protocol that is accepted, for values in [0, 1]
SIZES: Sequence[tuple[int, int]] = (
    (16, 16),
    (17, 40),
    (61, 23),
)  #: height and width of the small images that are compared


def largest_difference(
    network: SRCNN, run: Callable[[NDArray[np.float32]], NDArray[np.float32]], sizes: Sequence[tuple[int, int]] = SIZES
) -> float:
    """Return the largest absolute difference between an exported network and the protocol.

    Args:
        network: the network that was exported.
        run: the exported network: float32 (1, C, H, W) in [0, 1] to (1, C, scale * H, scale * W).
        sizes: height and width of the random images.
    """
    random = np.random.default_rng(0)
    largest = 0.0
    for height, width in sizes:
        small = random.random((height, width, network.config.channels), dtype=np.float32)
        found = run(np.ascontiguousarray(small.transpose(2, 0, 1)[None]))
        wanted = expected(network, small).transpose(2, 0, 1)[None]
        if found.shape != wanted.shape:
            return float("inf")
        largest = max(largest, float(np.abs(found - wanted).max()))
    return largest


def check(path: Path, difference: float) -> float:
    """Return the difference if it is small enough.

    Raises:
        CheckpointError: it is not, or NaN.
    """
    if not difference <= TOLERANCE:
        raise CheckpointError(
            f"{path}: not written, because its output must agree with the network to {TOLERANCE}, but differs by {difference:.1e}"
        )
    return difference
