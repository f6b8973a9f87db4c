"""Learning curves of a search at one scale: what finished, what was stopped and where, and the paper's network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import BLACK, BLUE, FONT, GREY, RED, finish, new_figure, to_png
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["curves_figure"]

_X, _Y = "training pixels (millions)", "gain over bicubic on validation (dB)"


@dataclass(frozen=True)
class _Group:
    """Curves that are drawn alike."""

    label: str
    color: str
    width: float
    dash: str
    alpha: float
    children: tuple[Child, ...]


def curves_figure(children: Sequence[Child], name: str, caption: str) -> Figure | None:
    """Gain against training pixels, a line for each trial.

    Args:
        children: runs of one scale.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if no run has a curve.
    """
    groups = [group for group in _groups([child for child in children if child.curve]) if group.children]
    if not groups:
        return None
    every = np.array([gain for group in groups for child in group.children for _, gain in child.curve])
    low, high = _range(every)
    below = int((every < low).sum())
    if below:
        caption += f" {below} of {every.size} points lie below the picture."
    counts = ", ".join(f"{len(group.children)} {group.label}" for group in groups)
    alt = f"Learning curves, gain in dB against millions of training pixels: {counts}."
    return Figure(name, _static(groups, low, high), caption, alt)


def _groups(children: Sequence[Child]) -> list[_Group]:
    """Drawn in this order, so that what matters most lies on top."""
    finished = [c for c in children if c.outcome is Outcome.FINISHED and not c.reference]
    best = max(finished, key=lambda c: c.gain or -math.inf, default=None)
    stopped = tuple(c for c in children if c.outcome is Outcome.STOPPED and not c.reference)
    other = tuple(
        c for c in children if c.outcome in (Outcome.WAITING, Outcome.FAILED, Outcome.INTERRUPTED) and not c.reference
    )
    return [
        _Group("stopped early", GREY, 0.8, "solid", 0.75, stopped),
        _Group("failed or not ended", RED, 0.9, "dotted", 0.9, other),
        _Group("finished", BLUE, 1.1, "solid", 0.55, tuple(c for c in finished if c is not best)),
        _Group("the paper's network", BLACK, 2.2, "dashed", 1.0, tuple(c for c in children if c.reference)),
        _Group("best finished", RED, 2.4, "solid", 1.0, () if best is None else (best,)),
    ]


def _range(gains: NDArray[np.float64]) -> tuple[float, float]:
    """Gains to show, in dB: all but the low outliers by Tukey's rule, since one bad epoch would press the rest together."""
    first, third = np.percentile(gains, [25, 75])
    low = float(gains[gains >= first - 1.5 * (third - first)].min())
    margin = max(0.02, 0.05 * (float(gains.max()) - low))
    return low - margin, float(gains.max()) + margin


def _points(child: Child) -> tuple[list[float], list[float]]:
    return [pixels / 1e6 for pixels, _ in child.curve], [gain for _, gain in child.curve]


def _static(groups: Sequence[_Group], low: float, high: float) -> bytes:
    figure = new_figure(3.4)
    axes = figure.add_subplot()
    for order, group in enumerate(groups):
        for place, child in enumerate(group.children):
            axes.plot(
                *_points(child),
                color=group.color,
                linewidth=group.width,
                linestyle=group.dash,
                alpha=group.alpha,
                zorder=2 + order,
                label=f"{group.label} ({len(group.children)})" if place == 0 else None,
            )
        ends = [child.curve[-1] for child in group.children]
        size = 9 if group.label == "stopped early" else 12
        x, y = [p / 1e6 for p, _ in ends], [g for _, g in ends]
        axes.scatter(x, y, s=size, color=group.color, alpha=group.alpha, zorder=2 + order, linewidths=0)
    axes.set_ylim(low, high)
    axes.set_xlim(left=0)
    axes.set_xlabel(_X)
    axes.set_ylabel(_Y)
    finish(axes)
    axes.legend(loc="lower right", fontsize=FONT, framealpha=0.9)
    return to_png(figure)
