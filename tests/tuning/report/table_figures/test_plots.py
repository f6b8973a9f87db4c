"""Figures of a table: means and spread over seeds, and which runs they rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srcnn.model.network import count_parameters
from srcnn.tuning.report.table_figures.plots import budget_figure, convergence_figure, cost_figure
from srcnn.tuning.trials.outcome import Outcome

from report_parts import PNG, table_data, trained

METRIC = "Set5/x3/psnr"
RUNS = [trained(row, seed, 32.0 + 0.2 * seed + (row == "9-3-5")) for row in ("9-1-5", "9-3-5") for seed in (0, 1)]
SHORT = [trained(row, seed, 31.0 + 0.2 * seed, 1e6) for row in ("9-1-5", "9-3-5") for seed in (0, 1)]


def test_convergence_is_the_mean_of_the_seeds_of_the_longest_runs() -> None:
    failed = trained("9-1-5", 2, 20.0, outcome=Outcome.FAILED)
    figure = convergence_figure(table_data([*RUNS, *SHORT, failed]), "ours", 3)
    assert figure is not None and figure.png.startswith(PNG)
    # The last reports are psnr - 31 - 1/8: 0.875 and 1.075 dB, and one more for 9-3-5.
    assert figure.alt.endswith("at the end: 9-1-5 0.98, 9-3-5 1.98.")
    assert "n = 4 runs, 2 seeds; 4 million pixels" in figure.caption
    assert convergence_figure(table_data([failed]), "ours", 3) is None


def test_a_recipe_may_have_any_name() -> None:
    """The name of a figure is one of files."""
    name = "article with He's initialisation/2"
    figure = convergence_figure(table_data([replace(run, recipe=name) for run in RUNS]), name, 3)
    assert figure is not None
    assert figure.name == "kernels-cpu-convergence-article-with-He-s-initialisation-2-x3"


def test_budgets_are_compared_where_there_are_several() -> None:
    figure = budget_figure(table_data([*RUNS, *SHORT]), METRIC)
    assert figure is not None and figure.png.startswith(PNG)
    assert figure.alt == "9-1-5: 31.10, 32.10 dB; 9-3-5: 31.10, 33.10 dB"
    assert figure.interactive is not None
    line = figure.interactive.renderers[0].data_source.data
    assert (line["x"], line["low"], line["high"]) == (
        [1.0, 4.0],
        pytest.approx([31.0, 32.0]),
        pytest.approx([31.2, 32.2]),
    )
    assert budget_figure(table_data(RUNS), METRIC) is None


def test_cost_needs_three_networks() -> None:
    rows = ("9-1-5", "9-3-5", "9-5-5")
    runs = [trained(row, 0, 32.0) for row in rows]
    figure = cost_figure(table_data(runs, rows), METRIC)
    assert figure is not None and figure.png.startswith(PNG)
    network = runs[0].network
    assert network is not None
    assert figure.alt.startswith(f"9-1-5: 50 ms, {count_parameters(network, biases=False)} weights, 32.00 dB; ")
    assert cost_figure(table_data(runs[:2]), METRIC) is None
