"""Pictures of a search for a notebook, drawn with matplotlib in the style of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.report.figures.style import BLACK, BLUE, DPI, FONT, GREY, PALETTE, RED, WIDTH, finish, plain, to_png
from srcnn.tuning.space.parameter import Categorical
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["Plot", "curves", "history", "parameters"]

_GAIN = "gain over bicubic (dB)"
_COLUMNS = 3  # panels beside each other
_COLORS: Mapping[Outcome, str] = {Outcome.FINISHED: BLUE, Outcome.FAILED: RED}  # the others are grey


class Plot(Figure):
    """A matplotlib figure that a notebook shows without pyplot; ``savefig`` writes it to a file."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def _new(height: float) -> Plot:
    figure = Plot(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _without(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=FONT)


def history(children: Sequence[Child], scales: Sequence[int]) -> Plot:
    """Draw the best gain of each trial in the order of their start, and the highest so far: a colour for each scale."""
    figure = _new(3.4)
    axes = figure.add_subplot()
    for place, scale in enumerate(scales):
        color = PALETTE[place % len(PALETTE)]
        points = [(i, c) for i, c in enumerate(children, start=1) if c.scale == scale and c.gain is not None]
        for done, marker in ((True, "o"), (False, "x")):
            some = [(i, c.gain) for i, c in points if (c.outcome is Outcome.FINISHED) == done]
            label = f"x{scale}" if done else f"x{scale}, not finished"
            if some:
                axes.plot(*zip(*some, strict=True), marker, color=color, markersize=4, label=label)
        best = [(i, c.gain) for i, c in points if c.outcome is Outcome.FINISHED and c.gain is not None]
        if best:
            axes.step([i for i, _ in best], [*accumulate((g for _, g in best), max)], where="post", color=color, lw=1.2)
    axes.set_xlabel("trial, in the order of their start")
    axes.set_ylabel(_GAIN)
    finish(axes)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=FONT, loc="lower right")
    else:
        _without(axes, "no trial has reported a gain")
    return figure


def curves(children: Sequence[Child], title: str) -> Plot:
    """Draw the learning curve of each trial: gain against training pixels."""
    figure = _new(3.4)
    axes = figure.add_subplot()
    seen: set[str] = set()
    for child in children:
        if not child.curve:
            continue
        label, color = (str(child.outcome), _COLORS.get(child.outcome, GREY))
        if child.reference:
            label, color = "the paper's network", BLACK
        x, y = [pixels / 1e6 for pixels, _ in child.curve], [gain for _, gain in child.curve]
        style = "--" if child.reference else "-"
        axes.plot(x, y, style, color=color, lw=1.2, alpha=0.8, label=None if label in seen else label)
        axes.plot(x[-1:], y[-1:], "o", color=color, markersize=3)
        seen.add(label)
    axes.set_title(title)
    axes.set_xlabel("training pixels (millions)")
    axes.set_ylabel(_GAIN)
    finish(axes)
    if seen:
        axes.legend(fontsize=FONT, loc="lower right")
    else:
        _without(axes, "no trial has reported a gain")
    return figure


def parameters(children: Sequence[Child], space: Space | None, title: str) -> Plot:
    """Draw the best gain of each trial against each parameter that has more than one value; crosses did not finish."""
    shown = [child for child in children if child.gain is not None]
    varied = list(dict.fromkeys(name for child in shown for name in child.values))
    varied = [name for name in varied if len({str(c.values[name]) for c in shown if name in c.values}) > 1]
    rows = max(1, math.ceil(len(varied) / _COLUMNS))
    figure = _new(0.4 + 2.1 * rows)
    if not varied:
        axes = figure.add_subplot()
        _without(axes, "too few trials to compare parameters")
        axes.set_axis_off()
        return figure
    figure.suptitle(title, fontsize=FONT)
    grid = figure.subplots(rows, min(_COLUMNS, len(varied)), sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(varied):
            axes.set_axis_off()
            continue
        _panel(axes, [child for child in shown if varied[place] in child.values], varied[place], space)
        if place % grid.shape[1] == 0:
            axes.set_ylabel(_GAIN)
    return figure


def _panel(axes: Axes, children: Sequence[Child], name: str, space: Space | None) -> None:
    parameter = None if space is None else space.parameters.get(name)
    values = [child.values[name] for child in children]
    if isinstance(parameter, Categorical) or not all(isinstance(value, int | float) for value in values):
        # In the order of the space, as far as it is known; else of the alphabet.
        texts = [str(value) for value in values]
        known = [str(choice) for choice in parameter.choices] if isinstance(parameter, Categorical) else []
        order = [text for text in known if text in texts] or sorted(set(texts))
        x = [float(order.index(text)) if text in order else -1.0 for text in texts]
        axes.set_xticks(range(len(order)), [plain(text) for text in order], rotation=30 if len(order) > 3 else 0)
        axes.set_xlim(-0.5, len(order) - 0.5)
    else:
        x = [float(value) for value in values if isinstance(value, int | float)]
        if parameter is not None and parameter.log:
            axes.set_xscale("log")
    for done, marker in ((True, "o"), (False, "x")):
        some = [
            (place, c.gain) for place, c in zip(x, children, strict=True) if (c.outcome is Outcome.FINISHED) == done
        ]
        if some:
            axes.plot(*zip(*some, strict=True), marker, color=BLUE if done else GREY, markersize=4, alpha=0.8)
    axes.set_xlabel(plain(name))
    finish(axes)
