"""Configurations as points keep the order of numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srcnn.tuning.algorithms.axes import Axes
from srcnn.tuning.space.space_file import load_space


def test_numbers_keep_their_order_and_lists_of_sizes_their_places(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  n1: {type: categorical, choices: [32, 128, 64]}\n"
        "  kernels: {type: categorical, choices: [9-1-5, 9-5-5, 11-1-5]}\n"
        "  optimizer: {type: categorical, choices: [adam, sgd, muon]}\n",
        encoding="utf-8",
    )
    rows = [
        {"n1": n, "kernels": k, "optimizer": o}
        for n, k, o in ((32, "9-1-5", "adam"), (128, "9-5-5", "sgd"), (64, "11-1-5", "muon"))
    ]
    n1, kernels, optimizer = Axes(load_space(path)).places(rows)
    np.testing.assert_allclose(n1[:, 0], [0, 1, 0.5])
    np.testing.assert_allclose(kernels, [[0, 0], [0, 1], [1, 0]])  # the last size never changes, so it has no axis
    apart = np.linalg.norm(optimizer[:, None] - optimizer[None], axis=-1)
    np.testing.assert_allclose(apart, 1 - np.eye(3))
