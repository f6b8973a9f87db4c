"""Contour: the gain over the two parameters that matter most, as a Gaussian process reads it from the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from srcnn.tuning.algorithms.gaussian_process import Array, GaussianProcess
from srcnn.tuning.report.data.full_budget import AtEnd
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.slices import lowest_shown
from srcnn.tuning.report.figures.style import FONT, HALF, finish, log_ticks, new_figure, plain, to_png
from srcnn.tuning.space.parameter import Categorical, Integer, Parameter
from srcnn.tuning.space.space import Space

__all__ = ["FEWEST", "contour_figure"]

FEWEST = 6  #: minimum number of trials
_FINE = 60  # places along the axis of a number
_STEPS = 12  # of the fit, each of which improves every hyperparameter once


def contour_figure(
    space: Space, ends: Sequence[AtEnd], pair: tuple[str, str], name: str, caption: str
) -> Figure | None:
    """Colours are the expected gain, over all values of the other parameters; dots are trials.

    Args:
        space: space of the search.
        ends: trials of one scale with their gains at the full budget.
        pair: the two parameters, x axis first.
        name: name of the figure.
        caption: what must be known to read it.

    Returns:
        The figure; None if too few trials have both parameters.
    """
    used = [one for one in ends if all(one_name in one.child.values for one_name in pair)]
    parameters = [space.parameters[one_name] for one_name in pair]
    known = [[_place(p, one.child.values[n]) for p, n in zip(parameters, pair, strict=True)] for one in used]
    rows = [(one, x, y) for one, (x, y) in zip(used, known, strict=True) if x is not None and y is not None]
    if len(rows) < FEWEST:
        return None
    low = lowest_shown([one.gain for one, _, _ in rows])
    points = [np.array([[x] for _, x, _ in rows]), np.array([[y] for _, _, y in rows])]
    gains = np.array([max(one.gain, low) for one, _, _ in rows])
    process = GaussianProcess(2)
    for _ in range(_STEPS):
        process.fit(points, gains, np.zeros(len(gains)))
    axes_of = [_axis(parameter) for parameter in parameters]
    x, y = np.meshgrid(*axes_of)
    mean, _ = process.predict([x.reshape(-1, 1), y.reshape(-1, 1)])
    field = mean.reshape(x.shape)

    figure = new_figure(3.2, HALF)
    axes = figure.add_subplot()
    colors = colormaps["cividis"]  # made for colour-blind readers
    low_high = float(min(field.min(), gains.min())), float(max(field.max(), gains.max()))
    mesh = axes.pcolormesh(*map(_edges, axes_of), field, cmap=colors, vmin=low_high[0], vmax=low_high[1])
    if all(not isinstance(parameter, Categorical) for parameter in parameters) and np.ptp(field) > 0:
        axes.contour(*axes_of, field, levels=6, colors="white", linewidths=0.7)
    for one, px, py in rows:
        axes.scatter(
            px,
            py,
            s=24,
            facecolor=colors((max(one.gain, low) - low_high[0]) / ((low_high[1] - low_high[0]) or 1.0)),
            edgecolors="white" if one.measured else "black",
            linewidths=1.2,
        )
    for number, (parameter_name, parameter) in enumerate(zip(pair, parameters, strict=True)):
        _ticks(axes, number, parameter_name, parameter)
    finish(axes)
    axes.grid(visible=False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    bar.set_label("gain at the full budget (dB)", fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT)
    best = np.unravel_index(int(field.argmax()), field.shape)
    alt = (
        f"Expected gain over {pair[0]} and {pair[1]}, from {field.min():.3f} to {field.max():.3f} dB; highest at "
        f"{pair[0]} {_value(parameters[0], float(axes_of[0][best[1]]))} and {pair[1]} "
        f"{_value(parameters[1], float(axes_of[1][best[0]]))}."
    )
    return Figure(name, to_png(figure), caption, alt, half=True)


def _bend(parameter: Parameter, value: float) -> float:
    return math.log(value) if not isinstance(parameter, Categorical) and parameter.log else value


def _place(parameter: Parameter, value: object) -> float | None:
    """Return where a value lies on its axis, from 0 to 1; None: it is not in the space."""
    if isinstance(parameter, Categorical):
        places = [place for place, choice in enumerate(parameter.choices) if choice == value]
        return places[0] / max(1, len(parameter.choices) - 1) if places else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = _bend(parameter, parameter.low), _bend(parameter, parameter.high)
    return (_bend(parameter, value) - low) / ((high - low) or 1.0)


def _axis(parameter: Parameter) -> Array:
    count = len(parameter.choices) if isinstance(parameter, Categorical) else _FINE
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.0])


def _edges(places: Array) -> Array:
    half = (places[1] - places[0]) / 2 if len(places) > 1 else 0.5
    return np.append(places - half, places[-1] + half)


def _ticks(axes: Axes, number: int, name: str, parameter: Parameter) -> None:
    if isinstance(parameter, Categorical):
        ticks = {_place(parameter, choice) or 0.0: str(choice) for choice in parameter.choices}
    elif parameter.log:
        marks = log_ticks(float(parameter.low), float(parameter.high))
        ticks = {_place(parameter, value) or 0.0: text for value, text in marks.items()}
    else:
        values = np.unique(
            np.linspace(parameter.low, parameter.high, 5).round(0 if isinstance(parameter, Integer) else 9)
        )
        ticks = {_place(parameter, float(value)) or 0.0: f"{value:.3g}" for value in values}
    (axes.set_xticks if number == 0 else axes.set_yticks)(list(ticks), [plain(text) for text in ticks.values()])
    (axes.set_xlabel if number == 0 else axes.set_ylabel)(plain(name))
    if number == 0 and sum(map(len, ticks.values())) > 32:
        for label in axes.get_xticklabels():
            label.set_rotation(30)
            label.set_horizontalalignment("right")


def _value(parameter: Parameter, place: float) -> str:
    if isinstance(parameter, Categorical):
        return str(parameter.choices[round(place * (len(parameter.choices) - 1))])
    low, high = _bend(parameter, parameter.low), _bend(parameter, parameter.high)
    value = low + place * (high - low)
    return f"{math.exp(value) if parameter.log else value:.3g}"
