"""A plot fits its box and leaves the page's scrolling alone; a click on the legend hides what belongs to it."""

from __future__ import annotations

from srcnn.tuning.report.figures.interactive import legend_below, new_plot


def test_a_plot_is_as_wide_as_its_box_and_catches_no_scrolling() -> None:
    plot = new_plot("x (unit)", "y (dB)", height=200)
    assert (plot.sizing_mode, plot.height, plot.min_width) == ("stretch_width", 200, 280)
    assert plot.toolbar.active_drag is None and plot.toolbar.active_scroll is None and plot.toolbar.logo is None
    assert [axis.axis_label for axis in (*plot.xaxis, *plot.yaxis)] == ["x (unit)", "y (dB)"]


def test_the_legend_holds_what_has_something_to_show() -> None:
    plot = new_plot("x", "y")
    line = plot.line([1, 2], [3, 4])
    legend_below(plot, {"a": [line], "nothing": []})
    (legend,) = plot.below[1:]
    assert [item.label.value for item in legend.items] == ["a"]
    assert legend.click_policy == "hide" and legend.items[0].renderers == [line]
