"""Parallel coordinates: only parameters that vary, the finished on top, and what a trial does not have below the axis."""

from __future__ import annotations

from pathlib import Path

from srcnn.tuning.report.figures.parallel import parallel_figure
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.outcome import Outcome

from report_parts import PNG, child

TEXT = """\
parameters:
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  n1: {type: categorical, choices: [8, 16]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
"""


def space(tmp_path: Path) -> Space:
    (tmp_path / "space.yaml").write_text(TEXT, encoding="utf-8")
    return load_space(tmp_path / "space.yaml")


def test_axes_are_the_parameters_that_vary(tmp_path: Path) -> None:
    runs = [
        child("a", [1.0], kernels="5-1-3", n1=8, learning_rate=1e-4),
        child("b", [2.0], kernels="5-3-3", n1=8, learning_rate=1e-3),
        child("c", [0.5], Outcome.STOPPED, kernels="5-3-3", n1=8, learning_rate=1e-2),
        child("dead", [], Outcome.FAILED, kernels="5-3-3", n1=16, learning_rate=1e-2),
    ]
    figure = parallel_figure(space(tmp_path), runs, "parallel", "")
    assert figure is not None and figure.png.startswith(PNG)
    assert figure.alt == (
        "Parallel coordinates of 3 trials over kernels, learning_rate and the gain; the best is trial b."
    )


def test_fewer_than_two_trials_or_no_parameter_that_varies_is_no_figure(tmp_path: Path) -> None:
    one = child("a", [1.0], kernels="5-1-3", n1=8, learning_rate=1e-4)
    assert parallel_figure(space(tmp_path), [one], "parallel", "") is None
    assert parallel_figure(space(tmp_path), [one, one], "parallel", "") is None
