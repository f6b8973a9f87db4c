"""The section ``search-record`` of the benchmark, on a search whose figures are invented."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from checkout import EXPERIMENTS
from empty_store import empty
from report_store import Store, a_whole_search

__all__ = ["empty"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Path:
    """A folder with the store of a search."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "mlruns").mkdir()
    shutil.copy(empty, folder / "mlruns")
    a_whole_search(Store(folder / "mlruns"))
    return folder


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, place: Path) -> Any:
    """experiments/bench.py in that folder."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(place)
    return importlib.import_module("bench")


def test_the_file_has_the_winner_its_seeds_and_every_training(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["search-record", "--search", "whole", "--json", "search.json"]) == 0
    found = json.loads(Path("search.json").read_text(encoding="utf-8"))["search-record"]
    assert found["trials"] == {"finished": 11, "stopped": 1, "failed": 1}
    assert found["failures"] == {"DeadNetworkError": 1}
    assert len(found["trainings"]) == 17
    assert {row[1] for row in found["trainings"]} == {"search", "confirm", "judge"}
    (winner,) = found["scales"]
    assert (winner["scale"], winner["configuration"], winner["fields"]["kernels"]) == (3, "9", "5-1-3")
    assert winner["validation"]["seeds"] == [[8, 1.78], [9, 1.79]]
    assert winner["judging"]["gain"]["mean"] == 1.585
    on_set5 = winner["test"]["Set5"]
    assert on_set5["seeds"] == [32.10, 32.30]
    # Two seeds: Student's t with one degree of freedom is 12.706, and 12.706 * 0.1 = 1.271.
    assert [on_set5[name] for name in ("mean", "low", "high")] == pytest.approx([32.2, 30.929, 33.471], abs=1e-3)
    # The judging seeds are not in the curve: their gain is that on other images. Those that chose were trained with 2M pixels.
    assert [2e6, pytest.approx(1.585), 2] in winner["by_pixels"]
    assert "32.200" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "line"),
    [([], "--search: must name a search"), (["--search", "no"], "search 'no' does not exist; there are: whole")],
)
def test_a_search_that_is_not_there_is_one_line(
    bench: Any, flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["search-record", *flags]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
