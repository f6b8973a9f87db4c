"""Pictures of a search: what is drawn where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from srcnn.config.architecture import ModelConfig
from srcnn.tuning.interactive.plots import curves, history, parameters
from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.trials.outcome import Outcome


def child(key: str, gain: float, **changes: object) -> Child:
    made = Child(
        run_id=key,
        trial_id=key,
        name=f"trial {key}",
        stage="search",
        outcome=Outcome.FINISHED,
        reference=False,
        failure="",
        params={"scale": "3"},
        metrics={"best/val_gain": gain},
        values={"n1": 8 + 8 * int(key), "kernels": "5-1-3" if int(key) % 2 else "5-3-3"},
        network=ModelConfig(scale=3),
        curve=((1e6, gain / 2), (2e6, gain)),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


TRIALS = [child("0", 0.4), child("1", 0.3), child("2", 0.9, outcome=Outcome.STOPPED), child("3", 0.6, reference=True)]


def test_the_history_rises_with_the_finished_trials() -> None:
    (axes,) = history(TRIALS, [3]).axes
    steps = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert np.asarray(steps.get_xdata()).tolist() == [1, 2, 4]
    assert np.asarray(steps.get_ydata()).tolist() == pytest.approx([0.4, 0.4, 0.6])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["x3", "x3, not finished"]  # type: ignore[union-attr]


def test_curves_have_a_line_for_each_trial_and_a_label_for_each_kind() -> None:
    (axes,) = curves(TRIALS, "x3").axes
    assert axes.get_title() == "x3"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [  # type: ignore[union-attr]
        "finished",
        "stopped",
        "the paper's network",
    ]
    assert sum(np.size(line.get_xdata()) == 2 for line in axes.lines) == 4


def test_parameters_have_a_panel_each_without_those_that_are_constant() -> None:
    figure = parameters([replace(one, values={**one.values, "n2": 4}) for one in TRIALS], None, "x3")
    assert [axes.get_xlabel() for axes in figure.axes] == ["n1", "kernels"]
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["5-1-3", "5-3-3"]
    assert parameters(TRIALS[:1], None, "x3")._repr_png_().startswith(b"\x89PNG")
