"""Crops side by side as the paper shows them: the original, bicubic, the authors' weights, ours, with PSNR under each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import data_root
from srcnn.errors import DataError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.color import ycbcr_to_rgb
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.model.network import SRCNN
from srcnn.tuning.paper.table import SAMPLE
from srcnn.tuning.report.data.kept_network import authors_network, best_run, kept_network
from srcnn.tuning.report.data.table_data import TableData, paper_name
from srcnn.tuning.report.document.document import Figure
from srcnn.tuning.report.figures.style import FONT, new_figure, plain, to_png

__all__ = ["crops_figure"]

#: Of the paper's own examples, the place of a crop's centre, as shares of height and width.
_WANTED = {"butterfly": (0.42, 0.62), "ppt3": (0.20, 0.35), "zebra": (0.46, 0.55)}
_SIDE = 84  # pixels of a crop


def crops_figure(data: TableData) -> Figure | None:
    """Butterfly, ppt3 and zebra (of the bundled photographs the first three); Y by each network, Cb and Cr by bicubic.

    None where the images or the networks are not here, or where other planes than Y were trained.
    """
    if data.table.measure != "psnr":
        return None
    scale = 3 if 3 in data.table.scales else data.table.scales[0]
    recipe = (data.recipes or ["ours"])[0]
    metric = next((one for one in data.shown if f"/x{scale}/" in one), data.shown[0])
    runs = [run for row in data.table.rows if (run := best_run(data, row.name, recipe, metric)) is not None]
    best = max(runs, key=lambda run: max((gain for _, gain in run.curve), default=0), default=None)
    ours = None if best is None else kept_network(data, best)
    images = _images(data)
    if best is None or ours is None or not images:
        return None
    official = None if data.budget.sample else authors_network(data.table.row(best.row).official, scale)
    shown: list[tuple[str, SRCNN | None]] = [("bicubic", None)]
    shown += [(f"authors' {best.row}", official)] if official is not None else []
    shown += [(f"ours, {best.row}", ours)]
    figure = new_figure(1.75 * len(images) + 0.2)
    panels = figure.subplots(len(images), 1 + len(shown), squeeze=False)
    said = []
    for line, (name, image, centre) in zip(panels, images, strict=True):
        degraded = degrade(image, scale, color="ycbcr", name=name)
        luma = degrade(image, scale, name=name)
        truth = quantize(shave(luma.target, scale))
        _show(line[0], degraded.target, centre, f"{name}\noriginal")
        figures = []
        for axes, (title, network) in zip(line[1:], shown, strict=True):
            y = reconstruct(network, luma)
            figure_db = psnr(truth, quantize(shave(y, scale)))
            picture = degraded.bicubic.copy()
            picture[:, :, :1] = y
            _show(axes, picture, centre, f"{title}\n{figure_db:.2f} dB")
            figures.append(f"{title} {figure_db:.2f} dB")
        said.append(f"{name}: {', '.join(figures)}")
    caption = (
        f"Crops at x{scale}, PSNR of the whole image on Y; Y by each network, Cb and Cr by bicubic. Ours: the seed that was best "
        f"on validation. {data.provenance([best])}"
    )
    return Figure(f"{data.name}-crops", to_png(figure, photo=True), caption, "; ".join(said))


def _images(data: TableData) -> list[tuple[str, NDArray[np.uint8], tuple[float, float]]]:
    sets: list[ImageSet] = []
    for name in (SAMPLE[1],) if data.budget.sample else data.table.test:
        try:
            sets.append(load(name, data_root()))
        except DataError:  # the report is made where the images are not
            continue
    every = [(paper_name(name), image) for one in sets for name, image in one.images]
    if data.budget.sample:
        return [(name, image, (0.45, 0.5)) for name, image in every[:3]]
    return [(name, image, _WANTED[name]) for name, image in every if name in _WANTED and image.ndim == 3]


def _show(axes: object, ycbcr: NDArray[np.float32], centre: tuple[float, float], title: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    height, width = ycbcr.shape[:2]
    top = min(max(0, round(centre[0] * height) - _SIDE // 2), max(0, height - _SIDE))
    left = min(max(0, round(centre[1] * width) - _SIDE // 2), max(0, width - _SIDE))
    rgb = ycbcr_to_rgb(255.0 * ycbcr[top : top + _SIDE, left : left + _SIDE])
    axes.imshow(rgb, interpolation="nearest")
    axes.set_title(plain(title), fontsize=FONT - 1)
    axes.set_axis_off()
