"""First-layer filters on one sheet: those that vary most first, each scaled to its largest weight."""

from __future__ import annotations

import numpy as np
import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN
from srcnn.tuning.report.table_figures.filters import _tiles, filters_figure

from report_parts import table_data, trained


def test_tiles_are_ordered_and_framed() -> None:
    network = SRCNN(ModelConfig(kernels=(3, 3), filters=(3,)))
    with torch.no_grad():
        weight = network.convolutions[0].weight
        weight.zero_()
        weight[0, 0, 1, 1], weight[1, 0, 0, 0], weight[2, 0, 2, 2] = 1.0, -4.0, 2.0
    sheet = _tiles(network)
    assert sheet.shape == (9, 9)  # two by two tiles of three pixels, and frames of one
    tiles = [sheet[top : top + 3, left : left + 3] for top, left in ((1, 1), (1, 5), (5, 1))]
    assert [float(tile.sum()) for tile in tiles] == [-1.0, 1.0, 1.0]
    assert tiles[0][0, 0] == -1 and tiles[1][2, 2] == 1 and tiles[2][1, 1] == 1
    assert np.abs(sheet).max() == 1


def test_without_a_kept_network_there_is_no_figure() -> None:
    assert filters_figure(table_data([])) is None
    assert trained("9-1-5", 0, 32.0).network is not None
