"""The bokeh side of figures: plots that fit their box from a phone to a desk, on white in every colour scheme.

The page scrolls as usual above a plot: zooming and moving are off until a reader picks them from the tools.
"""

from __future__ import annotations

from typing import Any

__all__ = ["legend_below", "new_plot"]

_INK, _SOFT = "#1c1e21", "#4a4f57"


def new_plot(x_label: str, y_label: str, height: int = 440, **options: Any) -> Any:
    """An empty plot as wide as its box.

    Args:
        x_label: label of the x axis, with its unit.
        y_label: label of the y axis, with its unit.
        height: in CSS pixels.
        options: further arguments for `bokeh.plotting.figure`.
    """
    from bokeh.plotting import figure  # slow to import

    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        min_width=280,
        tools="pan,box_zoom,wheel_zoom,reset,save",
        active_drag=None,
        active_scroll=None,
        toolbar_location="above",
        background_fill_color="white",
        border_fill_color="white",
        outline_line_color=None,
        **options,
    )
    plot.toolbar.logo = None
    for axis, label in ((plot.xaxis, x_label), (plot.yaxis, y_label)):
        axis.axis_label = label
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "13px"
        axis.axis_label_text_color = _INK
        axis.major_label_text_font_size = "12px"
        axis.major_label_text_color = _SOFT
        axis.minor_tick_line_color = None
    plot.grid.grid_line_alpha = 0.6
    return plot


def legend_below(plot: Any, entries: dict[str, list[Any]], columns: int = 2) -> None:
    """A legend under the plot; a click on an entry hides or shows what belongs to it.

    Args:
        plot: a plot made by `new_plot`.
        entries: renderers by entry.
        columns: two fit beside each other on a phone.
    """
    from bokeh.models import Legend, LegendItem

    items = [LegendItem(label=label, renderers=renderers) for label, renderers in entries.items() if renderers]
    legend = Legend(
        items=items,
        click_policy="hide",
        ncols=columns,
        border_line_color=None,
        label_text_font_size="12px",
        label_text_color=_INK,
        location="center",
        margin=4,
        padding=2,
    )
    plot.add_layout(legend, "below")
