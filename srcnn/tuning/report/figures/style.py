"""Style of the pictures of a report: colours that colour-blind readers can distinguish, dashes and markers for grey print.

The colours are Okabe and Ito's ("Color Universal Design", 2008). A picture is drawn at the size at which a page shows it,
so its letters are as large as the page's. No state of pyplot is used or changed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from PIL import Image

__all__ = [
    "BLACK",
    "BLUE",
    "DASHES",
    "DPI",
    "FONT",
    "GREEN",
    "GREY",
    "HALF",
    "MARKERS",
    "PALETTE",
    "RED",
    "WIDTH",
    "finish",
    "log_ticks",
    "new_figure",
    "plain",
    "shades",
    "to_png",
]

BLUE, RED, GREEN, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#000000", "#8A8A8A"

#: In the order in which series take them.
PALETTE = (BLUE, RED, GREEN, "#CC79A7", "#56B4E9", "#E69F00", BLACK)
#: Of matplotlib, one for each colour; bokeh has the same words for the first four.
DASHES = ("solid", "dashed", "dotted", "dashdot", (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))
#: Of matplotlib, one for each colour.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

DPI = 160
WIDTH = 6.0  #: inches: 960 pixels
HALF = 3.9  #: inches, of a figure that stands beside another one: 624 pixels
FONT = 9.0  #: points: 20 pixels of 960


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty picture on white, laid out by matplotlib.

    Args:
        height: in inches.
        width: in inches.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def finish(axes: Axes) -> None:
    """One look for all panels: letters of one size, a faint grid, no frame above and on the right."""
    axes.grid(visible=True, which="major", alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=FONT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_fontsize(FONT)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Places to mark on a logarithmic axis with their labels, few enough for a phone: 500, 1k, 2k.

    Args:
        low: the least value on the axis, above 0.
        high: the greatest.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]
        if len(inside) <= 6:
            break
    return {tick: _short(tick) for tick in inside or [low]}


def _short(value: float) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def plain(text: str) -> str:
    """A name as matplotlib shows it; between two dollar signs it would read a formula."""
    return text.replace("$", r"\$")


def shades(values: Sequence[float]) -> list[str]:
    """A colour for each value, from dark violet for the lowest to light green for the highest, as ``#rrggbb``.

    The map is viridis, whose lightness grows evenly, without its yellow end, which white swallows.
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    scale = Normalize(low, high if high > low else low + 1)
    return [to_hex(colormaps["viridis"](0.86 * float(scale(value)))) for value in values]


def to_png(figure: Figure, *, photo: bool = False) -> bytes:
    """The picture as a PNG file; the same picture gives the same bytes.

    Args:
        figure: the picture.
        photo: whether it shows photographs; lines and letters do with 256 colours, at a third of the size.
    """
    canvas: Any = FigureCanvasAgg(figure)  # without types
    canvas.draw()  # savefig would draw twice
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    if not photo:
        image = image.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
