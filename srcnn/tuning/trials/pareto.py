"""Pareto front of a search with several objectives: the trials that no other trial dominates."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult

__all__ = ["draw_front", "front", "front_csv"]

_COLORS = {2: "#0072B2", 3: "#D55E00", 4: "#009E73"}  # Okabe and Ito's, distinct for colour-blind readers
_MARKERS = {2: "o", 3: "s", 4: "^"}


def _costs(row: TrialResult, objectives: Sequence[str]) -> list[float]:
    """Return the objectives with signs such that all are minimized."""
    return [row.values[n] * (-1 if OBJECTIVES[n].direction == "maximize" else 1) for n in objectives]


def front(rows: Sequence[TrialResult], objectives: Sequence[str]) -> list[TrialResult]:
    """Return the finished trials that no other trial of the same scale dominates, highest gain first in each scale."""
    finished = [row for row in rows if row.outcome is Outcome.FINISHED and all(n in row.values for n in objectives)]
    kept = []
    for row in finished:
        mine = _costs(row, objectives)
        rivals = [_costs(r, objectives) for r in finished if r is not row and r.config.scale == row.config.scale]
        if not any(all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine for other in rivals):
            kept.append(row)
    return sorted(kept, key=lambda row: (row.config.scale, -row.values["gain"]))


def front_csv(rows: Sequence[TrialResult], objectives: Sequence[str]) -> str:
    """Return the front as a CSV table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "scale", "configuration", "val_gain_db", *objectives])
    for row in rows:
        figures = [f"{row.values[name]:.6g}" for name in objectives]
        writer.writerow([row.trial_id, row.config.scale, row.name, f"{row.val_gain:.4f}", *figures])
    return text.getvalue()


def draw_front(rows: Sequence[TrialResult], objectives: Sequence[str], file: Path) -> None:
    """Plot the gain in dB against each other objective, with the front as a line, to a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow to import and not needed in all searches
    from matplotlib.figure import Figure

    others, kept = [name for name in objectives if name != "gain"], front(rows, objectives)
    figure = Figure(figsize=(5.5 * len(others), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, name in enumerate(others, start=1):
        axes = figure.add_subplot(1, len(others), place)
        for scale in sorted({row.config.scale for row in rows}):
            color, marker = _COLORS[scale], _MARKERS[scale]
            every = [r for r in rows if r.config.scale == scale and r.outcome is Outcome.FINISHED and name in r.values]
            axes.scatter([r.values[name] for r in every], [r.val_gain for r in every], s=14, c=color, alpha=0.35)
            best = sorted((r for r in kept if r.config.scale == scale), key=lambda r: r.values[name])
            points = [r.values[name] for r in best], [r.val_gain for r in best]
            axes.plot(*points, color=color, marker=marker, markersize=6, label=f"x{scale}, front", linewidth=1.2)
        axes.set_xscale("log")
        axes.set_xlabel(OBJECTIVES[name].title)
        axes.set_ylabel("gain over bicubic on validation images (dB)")
        axes.grid(visible=True, which="both", alpha=0.25)
        axes.legend()
    figure.savefig(file, dpi=120)
