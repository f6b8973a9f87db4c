"""The section ``time-budget`` of the benchmark: its flags, what it reads of a search, and its figures."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from srcnn.tuning.planning.settings import SearchSettings

from checkout import EXPERIMENTS


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The module, without data sets but the bundled ones."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "none"))
    return importlib.import_module("_bench.time_budget")


@pytest.mark.parametrize("method", ["ours", "random+asha"])
def test_a_search_differs_by_its_method_alone(section: Any, method: str) -> None:
    flags = section.settings_of("T91", "Set5", method, 31, 600)
    given = dict(zip(flags[::2], flags[1::2], strict=True))
    fields = {name.removeprefix("--").replace("-", "_"): value for name, value in given.items()}
    assert (fields.pop("test"), fields.pop("scale"), fields.pop("time_budget")) == ("Set5", "3", "600s")
    settings = SearchSettings(**{name: int(value) if value.isdigit() else value for name, value in fields.items()})
    assert (settings.train, settings.trials, settings.seed) == ("T91", 200, 31)
    assert given["--sampler"] == {"ours": "curves", "random+asha": "random"}[method]


def test_a_spread_of_one_search_has_no_deviation(section: Any) -> None:
    assert section.spread([2.0]) == {"n": 1, "mean": 2.0, "min": 2.0, "max": 2.0}
    assert section.spread([1.0, 3.0])["deviation"] == pytest.approx(2**0.5)
