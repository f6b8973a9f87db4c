"""Plot of regret against compute, with one panel per number of workers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from srcnn.errors import DataError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.regret import bands, worst_regret
from srcnn.tuning.replay.simulator import table_cost
from srcnn.tuning.replay.trace import Trace

__all__ = ["plot_regret"]

# Colour-blind safe palette of Okabe and Ito, with brown and grey in place of yellow; dashes for prints in grey.
_STYLES = (
    ("#0072B2", "-"),
    ("#D55E00", "--"),
    ("#009E73", "-."),
    ("#CC79A7", (0, (3, 1, 1, 1, 1, 1))),
    ("#000000", ":"),
    ("#56B4E9", (0, (5, 1))),
    ("#E69F00", (0, (1, 1))),
    ("#8C564B", "--"),
    ("#7F7F7F", "-"),
)
_POINTS = 200


def plot_regret(
    path: Path,
    table: CurveTable,
    truth: TableTruth,
    traces: Mapping[tuple[str, int], Sequence[Trace]],
    caption: str,
) -> None:
    """Plot the mean regret with its 95 % interval.

    Args:
        path: file of the plot; its suffix sets the format.
        table: the table of the search.
        truth: estimated quality of its configurations; its tolerance is marked.
        traces: repetitions by method and number of workers.
        caption: explanation below the plot.

    Raises:
        DataError: the file cannot be written.
    """
    methods = list(dict.fromkeys(method for method, _ in traces))
    workers = list(dict.fromkeys(count for _, count in traces))
    worst, tolerance = worst_regret(truth, table), truth.usual_tolerance
    figure = Figure(figsize=(4.2 * len(workers) + 0.6, 4.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    lowest = 0.0
    panels = figure.subplots(1, len(workers), sharey=True, squeeze=False)[0]
    for panel, count in zip(panels, workers, strict=True):
        starts = [t.steps[0].compute for (_, w), some in traces.items() if w == count for t in some if t.steps]
        at = np.geomspace(max(1e-3, float(np.quantile(starts or [1.0], 0.05))), table_cost(table), _POINTS)
        for method, (color, dash) in zip(methods, _STYLES * (len(methods) // len(_STYLES) + 1), strict=False):
            band = bands(traces[method, count], at, worst)
            lowest = min(lowest, float(band["low"].min()))
            panel.plot(at, band["mean"], color=color, linestyle=dash, linewidth=1.8, label=method)
            panel.fill_between(at, band["low"], band["high"], color=color, alpha=0.18, linewidth=0)
        panel.axhline(tolerance, color="0.5", linewidth=0.8)
        panel.set_xscale("log")
        panel.set_yscale("symlog", linthresh=max(tolerance, 1e-2), linscale=0.8)
        panel.set_title(f"{count} worker{'s' * (count > 1)}")
        panel.set_xlabel("compute (core-seconds of all workers)")
        panel.grid(alpha=0.25, which="both", linewidth=0.5)
    panels[0].set_ylabel("regret (dB below the best; mean and 95 % interval)")
    panels[-1].legend(loc="upper right", fontsize=9)
    panels[0].set_ylim(bottom=min(0.0, lowest))
    width = int(26 * figure.get_figwidth())  # characters per line at this font size
    figure.supxlabel(textwrap.fill(caption, width), fontsize=8, color="0.3")
    try:
        with atomic_write(path) as file:
            figure.savefig(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be written ({error})") from None
