"""What a search predicted about the end of its trials, against what came."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from srcnn.tuning.report.data.beliefs import Belief
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import BLACK, FONT, HALF, MARKERS, PALETTE, finish, new_figure, to_png

__all__ = ["beliefs_figure"]

_NORMAL = 1.96


def beliefs_figure(found: Sequence[Belief], name: str, caption: str) -> Figure:
    """A point for each prediction, with the range that should contain 95 % of the ends; filled: before the first epoch.

    Args:
        found: predictions, at least one.
        name: name of the figure.
        caption: what must be known to read it.
    """
    figure = new_figure(3.3, HALF)
    axes = figure.add_subplot()
    scales = sorted({one.child.scale or 0 for one in found})
    for scale, color, marker in zip(scales, PALETTE, MARKERS, strict=False):
        for first in (True, False):
            some = [one for one in found if one.child.scale == scale and (one.epoch == 0) is first]
            if not some:
                continue
            half = [_NORMAL * (one.spread or 0.0) for one in some]
            axes.errorbar(
                [one.came for one in some],
                [one.predicted for one in some],
                yerr=half,
                fmt=marker,
                color=color,
                markersize=4,
                markerfacecolor=color if first else "white",
                linewidth=0.0,
                elinewidth=0.7,
                alpha=0.85,
                label=f"x{scale}, {'before it began' if first else 'later'} ({len(some)})",
            )
    values = np.array([[one.came, one.predicted] for one in found])
    low, high = float(values.min()), float(values.max())
    margin = max(0.03, 0.15 * (high - low))
    axes.plot(
        [low - margin, high + margin], [low - margin, high + margin], color=BLACK, linewidth=0.9, linestyle="dashed"
    )
    axes.set_xlim(low - margin, high + margin)
    reach = [_NORMAL * (one.spread or 0.0) for one in found]
    ends = [one.predicted + sign * half for one, half in zip(found, reach, strict=True) for sign in (-1, 1)]
    span = high - low + 2 * margin  # a very unsure prediction must not press the others together
    axes.set_ylim(max(min(ends) - margin, low - span / 2), min(max(ends) + margin, high + span / 2))
    axes.set_xlabel("gain that came (dB)")
    axes.set_ylabel("gain that was predicted (dB)")
    finish(axes)
    figure.legend(fontsize=FONT - 1, loc="outside lower center", ncols=2, frameon=False)
    alt = f"{len(found)} predictions of the gain at the end against what came; on the dashed line they are right."
    return Figure(name, to_png(figure), caption, alt, half=True)
