"""The Pareto front of a search with several objectives: gain against each other objective, the front of a scale joined."""

from __future__ import annotations

from collections.abc import Sequence

from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import FONT, HALF, MARKERS, PALETTE, finish, log_ticks, new_figure, to_png
from srcnn.tuning.trials.objective import OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.pareto import front
from srcnn.tuning.trials.result import TrialResult

__all__ = ["front_figure"]

_Y = "gain over bicubic on validation (dB)"


def front_figure(
    rows: Sequence[TrialResult], objectives: Sequence[str], other: str, name: str, caption: str
) -> Figure | None:
    """The finished trials of all scales, and which of them no other beats.

    Args:
        rows: trials with their figures.
        objectives: objectives of the search, all of which define the front.
        other: objective of the x axis.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if no trial has all figures.
    """
    kept = front(rows, objectives)
    if not kept:
        return None
    series = [
        (
            scale,
            [r for r in rows if r.outcome is Outcome.FINISHED and r.config.scale == scale and other in r.values],
            sorted((r for r in kept if r.config.scale == scale), key=lambda r: r.values[other]),
        )
        for scale in sorted({row.config.scale for row in kept})
    ]
    title = OBJECTIVES[other].title
    counts = ", ".join(f"{len(best)} of {len(every)} at x{scale}" for scale, every, best in series)
    alt = f"Gain against {title}; trials on the front: {counts}."
    return Figure(name, _static(series, other, title), caption, alt, half=True)


_Series = Sequence[tuple[int, list[TrialResult], list[TrialResult]]]


def _points(rows: Sequence[TrialResult], other: str) -> tuple[list[float], list[float]]:
    return [row.values[other] for row in rows], [row.val_gain for row in rows]


def _ticks(series: _Series, other: str) -> dict[float, str]:
    costs = [row.values[other] for _, every, _ in series for row in every]
    return log_ticks(min(costs), max(costs))


def _static(series: _Series, other: str, title: str) -> bytes:
    figure = new_figure(3.2, HALF)
    axes = figure.add_subplot()
    for (scale, every, best), color, marker in zip(series, PALETTE, MARKERS, strict=False):
        axes.scatter(*_points(every, other), s=14, color=color, alpha=0.35, marker=marker, linewidths=0)
        label = f"x{scale}, front ({len(best)} of {len(every)})"
        axes.plot(*_points(best, other), color=color, marker=marker, markersize=6, linewidth=1.4, label=label)
    axes.set_xscale("log")
    ticks = _ticks(series, other)
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.set_xticks([], minor=True)
    axes.set_xlabel(title)
    axes.set_ylabel(_Y)
    finish(axes)
    axes.legend(fontsize=FONT, loc="lower right")
    return to_png(figure)
