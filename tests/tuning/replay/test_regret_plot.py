"""The picture of regret over compute."""

from __future__ import annotations

from pathlib import Path

from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import METHODS
from srcnn.tuning.replay.regret import repeat
from srcnn.tuning.replay.regret_plot import plot_regret
from srcnn.tuning.space.space import Space

from curve_tables import make_table


def test_a_picture_is_drawn(tmp_path: Path, space: Space) -> None:
    table = make_table(space)
    traces = {(m, w): repeat(table, METHODS[m], w, 3) for m in ("random", "random+asha") for w in (1, 4)}
    plot_regret(tmp_path / "p.png", table, TableTruth.of(table), traces, "caption")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
