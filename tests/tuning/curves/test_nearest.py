"""The nearest recorded configuration stands for one that was not recorded."""

from __future__ import annotations

from pathlib import Path

from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.curves.nearest import Nearest
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space_file import load_space


def test_the_nearest_configuration_stands_for_one_that_was_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
        "  kernels: {type: categorical, choices: [9-1-5, 9-5-5]}\n",
        encoding="utf-8",
    )
    rows: tuple[dict[str, Value], ...]
    rows = ({"learning_rate": 1e-4, "kernels": "9-1-5"}, {"learning_rate": 1e-2, "kernels": "9-1-5"})
    curve = (Curve(1, (0.1,), (1.0,), (1.0,)),)
    nearest = Nearest.of(CurveTable(load_space(path), 1, rows, (curve, curve), {}))
    assert nearest.row({"learning_rate": 1e-2, "kernels": "9-1-5"}) == (1, True)
    # 9e-4 is nearer to 1e-4 on a logarithmic axis, though far nearer to it on none other.
    assert nearest.row({"learning_rate": 9e-4, "kernels": "9-1-5"}) == (0, False)
    assert nearest.row({"learning_rate": 2e-3, "kernels": "9-5-5"}) == (1, False)
