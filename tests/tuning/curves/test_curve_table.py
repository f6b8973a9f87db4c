"""Tables of curves survive their files, and what is no table is refused."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from srcnn.errors import DataError
from srcnn.tuning.curves.curve_table import Curve, CurveTable, read_table, write_table
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import FAILED

from checkout import ROOT
from curve_tables import EPOCHS, make_table

RECORDED = ROOT / "experiments" / "results" / "grid-x3.csv.gz"


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_table_survives_its_file(tmp_path: Path, space: Space, name: str) -> None:
    table = make_table(space)
    write_table(tmp_path / name, table)
    first = (tmp_path / name).read_bytes()
    read = read_table(tmp_path / name)
    assert read.params == table.params
    assert read.about == table.about
    assert read.space.parameters == space.parameters
    assert [c.seconds for c in read.curves[3]] == [c.seconds for c in table.curves[3]]
    np.testing.assert_allclose(read.quality, table.quality, atol=1e-4)
    write_table(tmp_path / name, read)
    assert (tmp_path / name).read_bytes() == first


def test_a_failed_run_stays_failed_in_a_table(tmp_path: Path, space: Space) -> None:
    table = make_table(space, seeds=1)
    dead = Curve(1, (0.1, FAILED), (1.0, 1.0), (100.0, 200.0))
    table = CurveTable(space, EPOCHS, table.params, ((dead,), *table.curves[1:]), {})
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv").curves[0][0].objective[-1] == FAILED
    assert table.quality[0] == -np.inf


@pytest.mark.parametrize("content", [b"", b"n1,seed\n1,2\n", b"# {}\n", b"\x1f\x8b\x08 torn"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv\.gz: ") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "missing.csv")


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"epochs": ', '"epochs": 99999999999, "before": ', "epochs: must lie between 1 and 1000000"),
        ('"epochs": ', '"epochs": NaN, "before": ', "is not a table of curves"),
        ('"epochs": ', '"deep": ' + "[" * 5000 + "]" * 5000 + ', "epochs": ', "must nest at most 32 deep"),
        ('"epochs": ', '"space": 1, "epochs": ', "'space' appears twice"),
        (",1.000,", ",nan,", "seconds: must be a finite number of at least 0, but got nan"),
        (",1.000,", ",-1.000,", "seconds: must be a finite number of at least 0, but got -1.000"),
        (",1.000,", ",inf,", "seconds: must be a finite number of at least 0, but got inf"),
        (",1.000,", ",a word,", "is not a table of curves"),
    ],
)
def test_a_table_with_wrong_figures_is_refused(tmp_path: Path, space: Space, old: str, new: str, says: str) -> None:
    path = tmp_path / "t.csv"
    params = make_table(space, seeds=1).params
    curve = Curve(1, (0.1,), (1.0,), (100.0,))
    write_table(path, CurveTable(space, 1, params, ((curve,),) * len(params), {}))
    changed(path, old, new)
    with pytest.raises(DataError, match=says) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_table_that_inflates_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(bytes(200 << 20), 1))
    with pytest.raises(DataError, match="must inflate to at most 32 MiB"):
        read_table(path)


@pytest.mark.skipif(not RECORDED.exists(), reason="the grid is not recorded")
def test_the_recorded_grid_is_complete() -> None:
    table = read_table(RECORDED)
    assert len(table.params) >= 96
    assert {len(curves) for curves in table.curves} == {3}
    assert {len(c.objective) for curves in table.curves for c in curves if not c.failed} == {table.epochs}
    assert RECORDED.stat().st_size < 300_000
    assert {"device", "version.torch", "mlflow.source.git.commit", "digest"} <= set(table.about)
    assert "curves" in table.about["developed_on"]
    # One standard error of a mean of three is 0.045 dB: three configurations are as good as the best within what can be told.
    truth = TableTruth.of(table)
    assert truth.noise / math.sqrt(3) == pytest.approx(0.045, abs=0.001)
    assert truth.among_best.sum() == 3
    assert "Set5" not in json.dumps(dict(table.about))
