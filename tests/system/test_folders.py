"""The cache lies where the environment says, in the order of the XDG base directory specification."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.system.folders import cache_folder


def test_the_first_of_the_settings_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SRCNN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == tmp_path / ".cache" / "srcnn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "srcnn"
    monkeypatch.setenv("SRCNN_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
