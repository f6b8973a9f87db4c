"""The contour finds where the gain is highest, for numbers and for choices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from srcnn.tuning.report.data.full_budget import at_full_budget
from srcnn.tuning.report.figures.contour import FEWEST, contour_figure
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space

from report_parts import PNG, child

TEXT = """\
parameters:
  kernels: {type: categorical, choices: [5-1-3, 5-3-3, 9-1-5]}
  n1: {type: int, low: 8, high: 64}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    (tmp_path / "space.yaml").write_text(TEXT, encoding="utf-8")
    return load_space(tmp_path / "space.yaml")


def test_the_highest_place_is_found(space: Space) -> None:
    runs = [
        child(
            f"{kernels} {step}",
            [1.0 - (step - 5) ** 2 / 50 + 0.2 * (kernels == "5-3-3")],
            kernels=kernels,
            n1=8 + 7 * step,
            learning_rate=1e-4 * 10 ** (step / 5),
        )
        for kernels in ("5-1-3", "5-3-3", "9-1-5")
        for step in range(9)
    ]
    ends = at_full_budget(runs)
    figure = contour_figure(space, ends, ("learning_rate", "kernels"), "contour", "")
    assert figure is not None and figure.png.startswith(PNG)
    found = re.search(r"highest at learning_rate (\S+) and kernels (\S+)\.$", figure.alt)
    assert found is not None and found[2] == "5-3-3" and 5e-4 < float(found[1]) < 2e-3
    figure = contour_figure(space, ends, ("n1", "learning_rate"), "contour", "")
    assert figure is not None and figure.png.startswith(PNG)
    assert contour_figure(space, ends[: FEWEST - 1], ("n1", "learning_rate"), "contour", "") is None
