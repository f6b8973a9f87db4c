"""Importances of parameters as bars, with their intervals as lines."""

from __future__ import annotations

from srcnn.tuning.report.data.importance import Importance
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import BLACK, BLUE, FONT, HALF, finish, new_figure, plain, to_png

__all__ = ["bars_figure"]

_X = "share of the explained variance"


def bars_figure(importance: Importance, name: str, caption: str) -> Figure:
    """A bar for each parameter, the most important on top.

    Args:
        importance: with shares.
        name: name of the figure.
        caption: what must be known to read it.
    """
    shares = ", ".join(f"{parameter} {share:.2f}" for parameter, share in importance.shares.items())
    alt = f"Importance of parameters by {importance.method}: {shares}."
    return Figure(name, _static(importance), caption, alt, half=True)


def _static(importance: Importance) -> bytes:
    figure = new_figure(0.9 + 0.36 * len(importance.shares), HALF)
    axes = figure.add_subplot()
    names, shares = list(importance.shares), list(importance.shares.values())
    axes.barh([plain(name) for name in names], shares, color=BLUE, height=0.62, alpha=0.75)
    furthest = 0.0
    for place, name in enumerate(names):
        low, high = importance.intervals.get(name, (shares[place], shares[place]))
        if name in importance.intervals:
            axes.plot([low, high], [place, place], color=BLACK, linewidth=1.3, marker="|", markersize=6)
        furthest = max(furthest, high, shares[place])
        text, at = f"{shares[place]:.2f}", (max(high, shares[place]), place)
        axes.annotate(text, at, xytext=(5, 0), textcoords="offset points", va="center", fontsize=FONT)
    axes.invert_yaxis()
    axes.set_xlim(0, furthest * 1.15)
    axes.set_xlabel(_X)
    finish(axes)
    axes.grid(visible=False, axis="y")
    return to_png(figure)
