"""Small tables of recorded curves, drawn from a formula."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.objective import PAPER_GAIN

__all__ = ["EPOCHS", "SPACE", "best_of", "flat_table", "make_table", "space"]

EPOCHS = 9
SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16, 32, 64]}
  kernels: {type: categorical, choices: [9-1-5, 9-3-5, 9-5-5]}
  learning_rate: {type: categorical, choices: [1.0e-4, 1.0e-3]}
constants: {scale: 3}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE, encoding="utf-8")
    return load_space(path)


def make_table(space: Space, seeds: int = 2) -> CurveTable:
    """Curves that rise to a figure which each parameter adds to: the best is 64 filters, 9-5-5, at 1e-3."""
    source = np.random.default_rng(0)
    rows = space.grid()
    curves = []
    for row in rows:
        worth = 0.5 + 0.1 * math.log2(int(str(row["n1"]))) / 6 + 0.1 * (row["learning_rate"] == 1e-3)
        worth += 0.05 * {"9-1-5": 0, "9-3-5": 1, "9-5-5": 2}[str(row["kernels"])]
        runs = []
        for seed in range(seeds):
            values = [round(worth * (1 - 0.8 / e) + 0.002 * source.standard_normal(), 4) for e in range(1, EPOCHS + 1)]
            runs.append(Curve(seed + 1, tuple(values), (1.0,) * EPOCHS, tuple(100.0 * e for e in range(1, EPOCHS + 1))))
        curves.append(tuple(runs))
    return CurveTable(space, EPOCHS, tuple(rows), tuple(curves), {"device": "none"})


def best_of(table: CurveTable) -> dict[str, Value]:
    return dict(table.params[int(table.quality.argmax())])


def flat_table(space: Space, gains: Any) -> CurveTable:
    """Curves that end at some gains in dB, (configurations, seeds); every epoch takes a second."""
    rows = space.grid()[: len(gains)]
    length = tuple(100.0 * e for e in range(1, EPOCHS + 1))
    curves = tuple(
        tuple(
            Curve(seed, tuple(gain / PAPER_GAIN[3] * e / EPOCHS for e in range(1, EPOCHS + 1)), (1.0,) * EPOCHS, length)
            for seed, gain in enumerate(map(float, some), start=1)
        )
        for some in gains
    )
    return CurveTable(space, EPOCHS, tuple(rows), curves, {})
