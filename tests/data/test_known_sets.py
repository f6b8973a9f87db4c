"""The registry of named sets, and where they lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srcnn.data.datasets import verify
from srcnn.data.known_sets import SETS, data_root, locate
from srcnn.errors import DataError

REAL = os.environ.get("SRCNN_DATA")
needs_data = pytest.mark.skipif(not REAL, reason="SRCNN_DATA names no folder with the real sets")


def test_the_data_root_is_the_option_then_the_environment_then_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_DATA", "/somewhere")
    assert data_root("x/y") == Path("x/y")
    assert data_root(None) == Path("/somewhere")
    assert data_root("~/y") == Path.home() / "y"
    monkeypatch.delenv("SRCNN_DATA")
    assert data_root(None) == Path("data")


def test_a_bundled_set_has_no_folder() -> None:
    with pytest.raises(DataError, match="has no folder"):
        locate("sample/train")


@needs_data
@pytest.mark.parametrize("name", [name for name, known in SETS.items() if not known.bundled])
def test_the_real_sets_are_what_the_registry_says(name: str) -> None:
    assert REAL is not None
    if not locate(name, Path(REAL)).is_dir():
        pytest.skip(f"SRCNN_DATA has no {name}")
    assert verify(name, Path(REAL)) == []
