"""Crops are cut around their centre and stay within the image."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from srcnn.tuning.report.table_figures.crops import _SIDE, _show, crops_figure

from report_parts import table_data


def test_a_crop_stays_within_its_image() -> None:
    ycbcr = np.full((100, 90, 3), 0.5, np.float32)
    ycbcr[:, :, 0] = np.linspace(0.1, 0.9, 90, dtype=np.float32)
    for centre in ((0.0, 0.0), (1.0, 1.0), (0.5, 0.5)):
        axes = Figure().add_subplot()
        _show(axes, ycbcr, centre, "a $title$")
        shown = axes.images[0].get_array()
        assert shown is not None and shown.shape == (_SIDE, _SIDE, 3)
    axes = Figure().add_subplot()
    _show(axes, ycbcr[:50, :40], (0.5, 0.5), "smaller than a crop")
    shown = axes.images[0].get_array()
    assert shown is not None and shown.shape == (50, 40, 3)


def test_without_a_run_there_is_no_figure() -> None:
    assert crops_figure(table_data([])) is None
