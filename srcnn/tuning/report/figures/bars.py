"""Importances of parameters as bars."""

from __future__ import annotations

from typing import Any

from srcnn.tuning.report.data.importance import Importance
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.interactive import new_plot
from srcnn.tuning.report.figures.style import BLUE, FONT, finish, new_figure, plain, to_png

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
    return Figure(name, _static(importance), caption, alt, _twin(importance))


def _static(importance: Importance) -> bytes:
    figure = new_figure(0.9 + 0.32 * len(importance.shares))
    axes = figure.add_subplot()
    names, shares = list(importance.shares), list(importance.shares.values())
    axes.barh([plain(name) for name in names], shares, color=BLUE, height=0.62)
    for place, share in enumerate(shares):
        axes.annotate(
            f"{share:.2f}", (share, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=FONT
        )
    axes.invert_yaxis()
    axes.set_xlim(0, max(shares) * 1.12)
    axes.set_xlabel(_X)
    finish(axes)
    axes.grid(visible=False, axis="y")
    return to_png(figure)


def _twin(importance: Importance) -> Any:
    from bokeh.models import ColumnDataSource, HoverTool

    names, shares = list(importance.shares), list(importance.shares.values())
    source = ColumnDataSource(
        {
            "name": names,
            "share": shares,
            "text": [f"{share:.3f}" for share in shares],
            "short": [f"{share:.2f}" for share in shares],
        }
    )
    plot = new_plot(_X, "", height=110 + 34 * len(names), y_range=names[::-1])
    bars = plot.hbar(y="name", right="share", height=0.62, source=source, color=BLUE)
    plot.text("share", "name", "short", source=source, x_offset=5, text_baseline="middle", text_font_size="12px")
    plot.x_range.start, plot.x_range.end = 0, max(shares) * 1.18
    plot.ygrid.grid_line_color = None
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("", "@name"), ("share", "@text")]))
    return plot
