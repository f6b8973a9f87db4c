"""The paper's diagrams of a table: convergence, figures against budget, against time and against parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from srcnn.model.network import count_parameters
from srcnn.tuning.report.data.table_data import BICUBIC, TableData, Trained
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.interactive import legend_below, new_plot
from srcnn.tuning.report.figures.style import (
    DASHES,
    FONT,
    MARKERS,
    PALETTE,
    finish,
    log_ticks,
    new_figure,
    plain,
    to_png,
)
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["budget_figure", "convergence_figure", "cost_figure"]

_TWIN_DASHES = ("solid", "9 5", "2 3", "9 3 2 3", "9 3 2 3 2 3", "14 4", "1 2")
_TWIN_MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "plus", "x")


@dataclass(frozen=True)
class _Series:
    """A line: its points, and how far they spread."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    place: int  #: index of its colour

    @property
    def color(self) -> str:
        return PALETTE[self.place % len(PALETTE)]

    @property
    def style(self) -> int:
        """Dashes and markers shift when colours come round again, so that no two lines look alike."""
        return (self.place + self.place // len(PALETTE)) % len(DASHES)


def convergence_figure(data: TableData, recipe: str, scale: int) -> Figure | None:
    """Gain over bicubic on validation against training pixels, a line for a row; None if nothing finished.

    Args:
        data: the table.
        recipe: how the rows were trained.
        scale: upscaling factor.
    """
    series, used = [], list[Trained]()
    for place, row in enumerate(data.table.rows):
        runs = [
            one
            for one in data.trained
            if (one.row, one.recipe, one.scale, one.length) == (row.name, recipe, scale, data.longest) and one.curve
        ]
        runs = [one for one in runs if one.outcome is Outcome.FINISHED]
        if not runs:
            continue
        used += runs
        points = min(len(one.curve) for one in runs)
        gains = np.array([[gain for _, gain in one.curve[:points]] for one in runs])
        x = [pixels / 1e6 for pixels, _ in runs[0].curve[:points]]
        mean, low, high = gains.mean(axis=0), gains.min(axis=0), gains.max(axis=0)
        series.append(_Series(row.name, x, mean.tolist(), low.tolist(), high.tolist(), place))
    if not series:
        return None
    by = f", recipe {recipe}" if len(data.recipes) > 1 else ""
    at = f" at x{scale}" if len(data.table.scales) > 1 else ""
    caption = (
        f"Convergence{at}{by}: gain over bicubic on the validation images, mean of the seeds; the band is from the worst to the "
        f"best seed. {data.provenance(used)}"
    )
    ends = ", ".join(f"{one.label} {one.y[-1]:.2f}" for one in series)
    alt = f"Gain in dB against millions of training pixels; at the end: {ends}."
    # The name of a recipe is any text; that of a figure is a file's.
    name = f"{data.name}-convergence-{re.sub(r'[^A-Za-z0-9._]+', '-', recipe)}-x{scale}"
    x_label, y_label = "training pixels (millions)", "gain over bicubic on validation (dB)"
    floor = _floor(series)
    return Figure(name, _lines(series, x_label, y_label, floor), caption, alt, _twin(series, x_label, y_label, floor))


def _floor(series: Sequence[_Series]) -> float:
    """The lowest value that a picture shows: the first reports would press the rest together."""
    tops = [max(one.y) for one in series]
    third = [one.y[len(one.y) // 8] for one in series]
    return float(min(*third, *tops) - 0.05) if len(series) > 1 else float(min(third) - 0.05)


def budget_figure(data: TableData, metric: str) -> Figure | None:
    """A figure against the length of the run: where a claim turns. None if there is one length only."""
    lengths = data.lengths()
    if len(lengths) < 2:
        return None
    series, used, place = [], list[Trained](), 0
    unit = 1e6 if data.budget.unit == "pixels" else 1.0
    for row in data.table.rows:
        for recipe in data.recipes:
            points = []
            for length in lengths:
                figures = data.figures(row.name, recipe, metric, length)
                if figures is not None:
                    each = figures.mean(axis=1)
                    points.append((length / unit, float(each.mean()), float(each.min()), float(each.max())))
                    used += data.of(row.name, recipe, metric, length)
            if points:
                x, y, low, high = (list(column) for column in zip(*points, strict=True))
                label = f"{row.name} ({recipe})" if len(data.recipes) > 1 else row.name
                series.append(_Series(label, x, y, low, high, place))
            place += 1
    if not series:
        return None
    figure = names.SetFigure.parse(metric)
    x_label = "training pixels of the whole run (millions)" if unit > 1 else "epochs of the whole run"
    y_label = f"{'PSNR' if figure.kind == names.PSNR else figure.kind}, {figure.images} x{figure.scale} (dB)"
    caption = (
        f"{y_label} of runs of several lengths, each with its whole schedule: the mean of the seeds, bars from the worst to the "
        f"best. {data.provenance(used)}"
    )
    alt = "; ".join(f"{one.label}: {', '.join(f'{y:.2f}' for y in one.y)} dB" for one in series)
    name = f"{data.name}-budget-{metric.replace('/', '-')}"
    png = _lines(series, x_label, y_label, None, log=True, bars=True)
    return Figure(name, png, caption, alt, _twin(series, x_label, y_label, None, log=True))


def _lines(
    series: Sequence[_Series], x_label: str, y_label: str, floor: float | None, *, log: bool = False, bars: bool = False
) -> bytes:
    many = len(series) > 8
    figure = new_figure(4.6 if many else 3.9)
    axes = figure.add_subplot()
    for one in series:
        line: dict[str, Any] = {
            "color": one.color,
            "linestyle": DASHES[one.style],
            "linewidth": 1.6,
            "label": plain(one.label),
        }
        if bars:
            error = [np.subtract(one.y, one.low), np.subtract(one.high, one.y)]
            axes.errorbar(one.x, one.y, yerr=error, marker=MARKERS[one.style], markersize=5, capsize=3, **line)
        else:
            axes.plot(one.x, one.y, **line)
            axes.fill_between(one.x, one.low, one.high, color=one.color, alpha=0.15, linewidth=0)
    if log:
        axes.set_xscale("log")
        ticks = sorted({x for one in series for x in one.x})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    if floor is not None:
        axes.set_ylim(bottom=floor)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    finish(axes)
    if many:
        figure.legend(loc="outside lower center", fontsize=FONT - 1, ncols=3)
    else:
        axes.legend(loc="lower right", fontsize=FONT, framealpha=0.9)
    return to_png(figure)


def _twin(series: Sequence[_Series], x_label: str, y_label: str, floor: float | None, *, log: bool = False) -> Any:
    from bokeh.models import ColumnDataSource, HoverTool

    plot = new_plot(x_label, y_label, x_axis_type="log" if log else "linear")
    entries: dict[str, list[Any]] = {}
    dots = []
    for one in series:
        source = ColumnDataSource(
            {
                "x": list(one.x),
                "y": list(one.y),
                "low": list(one.low),
                "high": list(one.high),
                "name": [one.label] * len(one.x),
            }
        )
        look = {"source": source, "color": one.color}
        line = plot.line("x", "y", line_width=2, line_dash=_TWIN_DASHES[one.style], **look)
        band = plot.varea("x", "low", "high", fill_alpha=0.12, **look)
        dot = plot.scatter("x", "y", size=6, marker=_TWIN_MARKERS[one.style], **look)
        entries[one.label] = [line, band, dot]
        dots.append(dot)
    if floor is not None:
        plot.y_range.start = floor
    tips = [("", "@name"), ("at", "@x{0.[00]}"), ("mean", "@y{0.000} dB"), ("seeds", "@low{0.000} to @high{0.000}")]
    plot.add_tools(HoverTool(renderers=dots, tooltips=tips))
    legend_below(plot, entries)
    return plot


def cost_figure(data: TableData, metric: str) -> Figure | None:
    """A figure against the seconds that the network takes for an image, and against its parameters.

    Filled: ours; open: the authors' weights. None where fewer than three networks are known.
    """
    figure = names.SetFigure.parse(metric)
    scale, seconds_of = figure.scale, str(replace(figure, kind=names.SECONDS))
    points: list[tuple[str, float, float, float, bool, int]] = []
    used = []
    recipe = (data.recipes or ["ours"])[0]
    for place, row in enumerate(data.table.rows):
        runs = data.of(row.name, recipe, metric)
        network = runs[0].network if runs else None
        if runs and network is not None and seconds_of in runs[0].metrics:
            used += runs
            seconds = float(np.median([one.metrics[seconds_of] for one in runs]))
            psnr = float(np.mean([one.metrics[metric] for one in runs]))
            points.append((row.name, seconds, count_parameters(network, biases=False), psnr, False, place))
        theirs = data.given.get((row.name, scale), {})
        if network is not None and metric in theirs and seconds_of in theirs:
            weights = count_parameters(network, biases=False)  # the same layers
            points.append((f"{row.name}, authors'", theirs[seconds_of], weights, theirs[metric], True, place))
    if len(points) < 3 or data.given.get((BICUBIC, scale)) is None:
        return None
    y_label = f"{'PSNR' if figure.kind == names.PSNR else figure.kind}, {figure.images} x{scale} (dB)"
    caption = (
        f"{y_label} against the time for an image (mean of the set, one core) and against the number of weights, biases left "
        f"out as in the paper. Filled: ours; open: the authors' weights, where they are. {data.provenance(used)}"
    )
    alt = "; ".join(f"{n}: {1e3 * s:.0f} ms, {w:.0f} weights, {y:.2f} dB" for n, s, w, y, _, _ in points)
    labels = ("milliseconds for an image, one core", "weights")
    return Figure(
        f"{data.name}-cost", _cost(points, labels, y_label), caption, alt, _cost_twin(points, labels, y_label)
    )


_Points = Sequence[tuple[str, float, float, float, bool, int]]


def _cost(points: _Points, labels: tuple[str, str], y_label: str) -> bytes:
    figure = new_figure(3.6)
    panels = figure.subplots(1, 2, sharey=True)
    for column, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        for name, seconds, weights, y, theirs, place in points:
            x = (1e3 * seconds, weights)[column]
            color = PALETTE[place % len(PALETTE)]
            axes.scatter(
                x,
                y,
                s=44,
                marker=MARKERS[place % len(MARKERS)],
                facecolors="white" if theirs else color,
                edgecolors=color,
                linewidths=1.5,
                label=plain(name),
            )
        axes.set_xscale("log")
        places = [(1e3 * point[1], point[2])[column] for point in points]
        ticks = log_ticks(min(places), max(places))
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xticks([], minor=True)
        axes.margins(0.12)
        axes.set_xlabel(label)
        finish(axes)
    panels[0].set_ylabel(y_label)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", fontsize=FONT - 1, ncols=3)
    return to_png(figure)


def _cost_twin(points: _Points, labels: tuple[str, str], y_label: str) -> Any:
    from bokeh.models import ColumnDataSource, HoverTool

    plot = new_plot(labels[0], y_label, x_axis_type="log")
    entries: dict[str, list[Any]] = {}
    for name, seconds, weights, y, theirs, place in points:
        values = {"x": [1e3 * seconds], "y": [y], "name": [name], "weights": [weights]}
        color = PALETTE[place % len(PALETTE)]
        dot = plot.scatter(
            "x",
            "y",
            source=ColumnDataSource(values),
            size=11,
            marker=_TWIN_MARKERS[place % len(_TWIN_MARKERS)],
            line_color=color,
            line_width=2,
            fill_color="white" if theirs else color,
        )
        entries[name] = [dot]
    times = [1e3 * point[1] for point in points]
    ticks = log_ticks(min(times), max(times))
    plot.xaxis.ticker = list(ticks)
    plot.xaxis.major_label_overrides = ticks
    tips = [("", "@name"), ("", "@y{0.000} dB"), ("", "@x{0.0} ms"), ("", "@weights{0} weights")]
    plot.add_tools(HoverTool(renderers=[item for (item,) in entries.values()], tooltips=tips))
    legend_below(plot, entries)
    return plot
