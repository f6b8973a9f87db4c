"""Parallel coordinates: a line for each trial through its parameters to its gain (Inselberg, 1985).

An axis of a parameter whose space is logarithmic is logarithmic; the choices of a categorical one lie evenly, in the order of
the space. Trials of one choice are spread a little around it, in the order of their gains, so that they do not hide each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import FONT, GREY, new_figure, plain, shades, to_png
from srcnn.tuning.space.parameter import Categorical, Parameter, Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["parallel_figure"]

_SPREAD = 0.035  # of an axis, on both sides of a choice
_BETWEEN = 12  # points of a curve between two axes
_GAIN = "gain"
_NONE = -0.14  # height at which a trial passes an axis whose parameter it does not have


@dataclass(frozen=True)
class _Axis:
    name: str
    ticks: tuple[tuple[float, str], ...]  #: height from 0 to 1, label


@dataclass(frozen=True)
class _Line:
    child: Child
    heights: tuple[float, ...]  #: one for each axis, from 0 to 1, or `_NONE`
    finished: bool


def parallel_figure(space: Space, children: Sequence[Child], name: str, caption: str) -> Figure | None:
    """The figure, with the finished trials in colours of their gains and the others in grey.

    Args:
        space: space of the search.
        children: its trials; those that reported nothing are left out.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if fewer than two trials or no parameter can be compared.
    """
    shown = sorted((c for c in children if c.objective is not None and c.values), key=lambda c: c.objective or 0.0)
    seen = {name: {repr(child.values[name]) for child in shown if name in child.values} for name in space.parameters}
    parameters = {name: p for name, p in space.parameters.items() if len(seen[name]) > 1}
    if len(shown) < 2 or not parameters:
        return None
    axes, lines = _layout(parameters, shown)
    alt = (
        f"Parallel coordinates of {len(shown)} trials over {', '.join(parameters)} and the gain; the best is "
        f"{shown[-1].name}."
    )
    return Figure(name, _static(axes, lines), caption, alt)


def _layout(parameters: Mapping[str, Parameter], shown: Sequence[Child]) -> tuple[list[_Axis], list[_Line]]:
    axes, columns = [], []
    for name, parameter in parameters.items():
        values = [child.values.get(name) for child in shown]
        has = [name in child.values for child in shown]
        axis, heights = (_choices if isinstance(parameter, Categorical) else _numbers)(name, parameter, values, has)
        axes.append(axis if all(has) else _Axis(name, (*axis.ticks, (_NONE, "none"))))
        columns.append(heights)
    gains = [float(child.objective or 0.0) for child in shown]
    # One bad trial must not press the others together: the axis ends at the worst of the upper nine tenths.
    low, high = gains[len(gains) // 10], gains[-1]
    scale = (high - low) or 1.0
    ticks = tuple((share, f"{low + share * scale:.2f}") for share in (0, 0.25, 0.5, 0.75, 1.0))
    axes.append(_Axis(_GAIN, ticks))
    columns.append([max(0.0, (gain - low) / scale) for gain in gains])
    lines = [
        _Line(child, heights, child.outcome is Outcome.FINISHED)
        for child, heights in zip(shown, zip(*columns, strict=True), strict=True)
    ]
    return axes, sorted(lines, key=lambda line: line.finished)  # stable: the best still come last, on top


def _choices(
    name: str, parameter: Parameter, values: Sequence[Value], has: Sequence[bool]
) -> tuple[_Axis, list[float]]:
    assert isinstance(parameter, Categorical)
    used = [choice for choice in parameter.choices if any(h and v == choice for v, h in zip(values, has, strict=True))]
    step = 1 / max(1, len(used) - 1)
    places = [used.index(v) if h and v in used else None for v, h in zip(values, has, strict=True)]
    heights = []
    for i, place in enumerate(places):
        if place is None:
            heights.append(_NONE)
            continue
        same = [j for j, other in enumerate(places) if other == place]
        share = (same.index(i) + 0.5) / len(same) - 0.5
        heights.append(place * step + 2 * _SPREAD * share)
    return _Axis(name, tuple((i * step, str(choice)) for i, choice in enumerate(used))), heights


def _numbers(
    name: str, parameter: Parameter, values: Sequence[Value], has: Sequence[bool]
) -> tuple[_Axis, list[float]]:
    assert not isinstance(parameter, Categorical)

    def bend(value: float) -> float:
        return math.log(value) if parameter.log else value

    low, high = bend(parameter.low), bend(parameter.high)
    width = (high - low) or 1.0
    heights = [(bend(float(v or 0)) - low) / width if h else _NONE for v, h in zip(values, has, strict=True)]
    ends = [low + width * share for share in (0, 0.25, 0.5, 0.75, 1)]
    ticks = [((end - low) / width, math.exp(end) if parameter.log else end) for end in ends]
    return _Axis(name, tuple((height, _short(value)) for height, value in ticks)), heights


def _short(value: float) -> str:
    """``5.6e-4`` for 0.00056, which is shorter than itself."""
    if 0 < abs(value) < 0.01:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}"


def _smooth(heights: Sequence[float]) -> tuple[list[float], list[float]]:
    """A line that leaves every axis at a right angle, so that an eye follows it."""
    x, y = [], []
    for place, (here, there) in enumerate(pairwise(heights)):
        for i in range(_BETWEEN):
            share = i / _BETWEEN
            x.append(place + share)
            y.append(here + (there - here) * share * share * (3 - 2 * share))
    return [*x, len(heights) - 1.0], [*y, heights[-1]]


def _lowest(axes: Sequence[_Axis]) -> float:
    """Return the lower limit of the picture, below its lowest element."""
    return min(height for axis in axes for height, _ in axis.ticks) - 0.07


def _title(axis: _Axis) -> str:
    return axis.name.replace("learning_rate", "learning\nrate")  # which is long for a phone


def _static(axes: Sequence[_Axis], lines: Sequence[_Line]) -> bytes:
    figure = new_figure(4.0)
    panel = figure.add_subplot()
    colors = iter(shades([float(line.child.objective or 0.0) for line in lines if line.finished]))
    for order, line in enumerate(lines):
        color, width, alpha = (next(colors), 1.3, 0.9) if line.finished else (GREY, 0.6, 0.5)
        panel.plot(*_smooth(line.heights), color=color, linewidth=width, alpha=alpha, zorder=2 + order / 1000)
    for place, axis in enumerate(axes):
        panel.axvline(place, color="0.25", linewidth=0.9, zorder=4)
        for height, label in axis.ticks:
            last = axis.name == _GAIN
            panel.annotate(
                plain(label),
                (place, height),
                xytext=(5 if last else -5, 0),
                textcoords="offset points",
                ha="left" if last else "right",
                va="center",
                fontsize=FONT - 0.5,
                zorder=5,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            )
    panel.set_xticks(range(len(axes)), [plain(_title(axis)) for axis in axes], fontsize=FONT)
    panel.tick_params(length=0)
    panel.set_yticks([])
    panel.set_xlim(-0.35, len(axes) - 1 + 0.3)
    panel.set_ylim(_lowest(axes), 1.07)
    for spine in panel.spines.values():
        spine.set_visible(False)
    return to_png(figure)
