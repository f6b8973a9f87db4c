"""A panel for each parameter that varies; outliers are counted."""

from __future__ import annotations

from pathlib import Path

from srcnn.tuning.report.data.full_budget import at_full_budget
from srcnn.tuning.report.figures.slices import lowest_shown, slices_figure, varied_parameters
from srcnn.tuning.space.space_file import load_space

from report_parts import PNG, child

TEXT = """\
parameters:
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  n1: {type: int, low: 8, high: 16}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
"""


def test_panels_of_what_varies(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(TEXT, encoding="utf-8")
    space = load_space(tmp_path / "space.yaml")
    runs = [
        child(str(i), [-30.0 if i == 3 else 1.0 + i / 100], kernels="5-1-3", n1=8 + i, learning_rate=1e-4 * (i + 1))
        for i in range(8)
    ]
    runs.append(child("of another space", [1.0], kernels="9-9-9"))
    ends = at_full_budget(runs)
    assert list(varied_parameters(space, ends)) == ["kernels", "n1", "learning_rate"]
    assert list(varied_parameters(space, ends[:-1])) == ["n1", "learning_rate"]
    figure = slices_figure(space, ends, "slices", "Gain.")
    assert figure is not None and figure.png.startswith(PNG) and figure.tall
    assert figure.alt == "Gain of 9 trials against kernels, n1, learning_rate, one at a time; the best is trial 7."
    assert figure.caption == "Gain. 1 of 9 trials lie below the picture and are drawn at its lower edge."
    assert slices_figure(space, ends[:1], "slices", "") is None


def test_many_parameters_stand_in_rows(tmp_path: Path) -> None:
    lines = [*(f"  n{i}: {{type: int, low: 8, high: 16}}" for i in (1, 2))]
    lines += [f"  f{i}: {{type: categorical, choices: [3, 5]}}" for i in (1, 2, 3)]
    lines += ["  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}"]
    (tmp_path / "space.yaml").write_text("\n".join(["parameters:", *lines]), encoding="utf-8")
    space = load_space(tmp_path / "space.yaml")
    runs = [
        child(
            str(i),
            [1.0 + i],
            n1=8 + i,
            n2=9 + i,
            f1=3 + 2 * (i % 2),
            f2=5 - 2 * (i % 2),
            f3=3 + 2 * (i % 2),
            learning_rate=2e-4 + i / 1e4,
        )
        for i in range(4)
    ]
    figure = slices_figure(space, at_full_budget(runs), "slices", "")
    assert figure is not None and not figure.half and not figure.tall


def test_the_lower_edge_leaves_out_outliers_alone() -> None:
    assert lowest_shown([1.0, 1.1, 1.2, 1.3]) == 1.0
    assert lowest_shown([-30.0, 1.0, 1.1, 1.2, 1.3]) > 0
