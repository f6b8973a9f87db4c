"""First-layer filters of a table's networks, as the paper shows them (TPAMI 2016, figure 6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from srcnn.model.network import SRCNN
from srcnn.tuning.report.data.kept_network import authors_network, best_run, kept_network
from srcnn.tuning.report.data.table_data import TableData
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import FONT, new_figure, plain, to_png

__all__ = ["filters_figure"]

_MOST = 4  # networks in a picture


def filters_figure(data: TableData) -> Figure | None:
    """The filters of the first layer, those that vary most first, each in its own grey scale around zero.

    The authors' weights come first where they are, then the best seed of each row. None: no network is kept.
    """
    metric, scale = data.shown[0], data.table.scales[0]
    recipe = (data.recipes or ["ours"])[0]
    networks: list[tuple[str, SRCNN]] = []
    used = []
    for row in data.table.rows:
        run = best_run(data, row.name, recipe, metric)
        if run is None or len(networks) >= _MOST:
            continue
        theirs = None if data.budget.sample or networks else authors_network(row.official, scale)
        if theirs is not None:
            networks.append((f"{row.name}, authors'", theirs))
        ours = kept_network(data, run)
        if ours is not None:
            networks.append((f"{row.name}, ours", ours))
            used.append(run)
    networks = networks[:_MOST]
    if not networks:
        return None
    figure = new_figure(1.9 if len(networks) > 2 else 3.0)
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for axes, (name, network) in zip(panels, networks, strict=True):
        axes.imshow(_tiles(network), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_title(plain(name), fontsize=FONT - 1)
        axes.set_axis_off()
    caption = (
        "Filters of the first layer, those that vary most first, each scaled to its largest weight (grey is zero); of those with "
        f"three planes the first plane. {data.provenance(used)}"
    )
    alt = f"Square tiles of first-layer filters of {', '.join(name for name, _ in networks)}."
    return Figure(f"{data.name}-filters", to_png(figure), caption, alt)


def _tiles(network: SRCNN) -> NDArray[np.float64]:
    """(rows, columns) in [-1, 1]: filters beside each other with a frame of one pixel, at most 64."""
    weights = network.convolutions[0].weight.detach().cpu().numpy()[:, 0].astype(np.float64)
    order = np.argsort(weights.var(axis=(1, 2)))[::-1][:64]
    weights = weights[order] / np.maximum(np.abs(weights[order]).max(axis=(1, 2), keepdims=True), 1e-12)
    count, side = len(weights), weights.shape[-1]
    columns = math.ceil(math.sqrt(count))
    sheet = np.ones((math.ceil(count / columns) * (side + 1) + 1, columns * (side + 1) + 1))
    for place, tile in enumerate(weights):
        top, left = place // columns * (side + 1) + 1, place % columns * (side + 1) + 1
        sheet[top : top + side, left : left + side] = tile
    return sheet
