"""Slices: the gain of every trial at the full budget against one parameter at a time."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from srcnn.tuning.report.data.full_budget import AtEnd
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import (
    BLUE,
    FONT,
    GREY,
    HALF,
    RED,
    WIDTH,
    finish,
    log_ticks,
    new_figure,
    plain,
    to_png,
)
from srcnn.tuning.space.parameter import Categorical, Integer, Parameter
from srcnn.tuning.space.space import Space

__all__ = ["lowest_shown", "slices_figure", "varied_parameters"]

_COLUMN, _BESIDE = 5, 3  # most panels below each other; more stand in rows of so many
_SPREAD = 0.18  # around a choice, so that trials do not hide each other


def varied_parameters(space: Space, ends: Sequence[AtEnd]) -> dict[str, Parameter]:
    """Return the parameters of a space with at least two values among some trials."""
    seen = {
        name: {repr(one.child.values[name]) for one in ends if name in one.child.values} for name in space.parameters
    }
    return {name: parameter for name, parameter in space.parameters.items() if len(seen[name]) > 1}


def slices_figure(space: Space, ends: Sequence[AtEnd], name: str, caption: str) -> Figure | None:
    """A panel for each parameter; filled: finished, hollow: estimated. Few panels stand in one column, which is half a page wide.

    Args:
        space: space of the search.
        ends: trials of one scale with their gains at the full budget.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if no parameter has two values.
    """
    parameters = varied_parameters(space, ends)
    if not parameters or len(ends) < 2:
        return None
    low = lowest_shown([one.gain for one in ends])
    below = sum(one.gain < low for one in ends)
    if below:
        caption += f" {below} of {len(ends)} trials lie below the picture and are drawn at its lower edge."
    wide = len(parameters) > _COLUMN
    rows, columns = (math.ceil(len(parameters) / _BESIDE), _BESIDE) if wide else (len(parameters), 1)
    figure = new_figure(0.4 + 1.55 * rows, WIDTH if wide else HALF)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes, (parameter_name, parameter) in zip(panels, parameters.items(), strict=False):
        _panel(axes, parameter_name, parameter, ends, low)
    for axes in panels[len(parameters) :]:
        axes.set_visible(False)
    figure.supylabel("gain at the full budget (dB)", fontsize=FONT)
    best = max(ends, key=lambda one: one.gain)
    alt = f"Gain of {len(ends)} trials against {', '.join(parameters)}, one at a time; the best is {best.child.name}."
    return Figure(name, to_png(figure), caption, alt, half=not wide, tall=not wide)


def lowest_shown(gains: Sequence[float]) -> float:
    """Return the least gain to show: one bad trial must not press the others together."""
    ordered = sorted(gains)
    quarter = ordered[len(ordered) // 4]
    return max(ordered[0], quarter - 1.5 * max(ordered[-1] - quarter, 0.01))


def _panel(axes: Axes, name: str, parameter: Parameter, ends: Sequence[AtEnd], low: float) -> None:
    source = random.Random(0)
    best = max(ends, key=lambda one: one.gain)
    for one in sorted(ends, key=lambda one: one.gain):
        if name not in one.child.values:
            continue
        value, y = one.child.values[name], max(one.gain, low)
        if isinstance(parameter, Categorical):
            x = (
                parameter.choices.index(value) + source.uniform(-_SPREAD, _SPREAD)
                if value in parameter.choices
                else None
            )
        else:
            x = float(value) if isinstance(value, int | float) else None
        if x is None:
            continue
        color = RED if one is best else BLUE if one.measured else GREY
        face = color if one.measured else "none"
        axes.scatter(x, y, s=26 if one is best else 15, facecolors=face, edgecolors=color, linewidths=1.0, zorder=3)
    if isinstance(parameter, Categorical):
        choices = [plain(str(choice)) for choice in parameter.choices]
        slanted = sum(map(len, choices)) > 40
        axes.set_xticks(
            range(len(choices)), choices, rotation=30 if slanted else 0, ha="right" if slanted else "center"
        )
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif parameter.log:
        axes.set_xscale("log")
        ticks = log_ticks(float(parameter.low), float(parameter.high))
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xticks([], minor=True)
    elif isinstance(parameter, Integer):
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(plain(name), fontsize=FONT, loc="left")
    finish(axes)
