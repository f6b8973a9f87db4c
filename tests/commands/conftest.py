"""Photographs for the commands, and a console that is wide enough for their tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image

from command_parts import photos, wide_console
from empty_store import empty
from past_store import PastStore

__all__ = ["empty", "photos", "wide_console"]


@pytest.fixture(autouse=True)
def _wide(wide_console: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training folder of five photographs, one of which shows the test folder's only one at three quarters of its size."""
    monkeypatch.setenv("SRCNN_CACHE", str(tmp_path / "cache"))
    for name, image in load("sample/train").images[:4]:
        write_image(tmp_path / "train" / f"{name}.png", image[100:196, 100:196])
    picture = Image.fromarray(load("sample/test").images[0][1][60:200, 100:240])
    (tmp_path / "test").mkdir()
    picture.save(tmp_path / "test" / "face.png")
    picture.resize((105, 105)).save(tmp_path / "train" / "copy.png")
    return tmp_path


@pytest.fixture
def past(photos: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> PastStore:
    """A store with an ended search, beside photographs to search on."""
    monkeypatch.chdir(photos)
    shutil.copy(empty, photos)
    store = PastStore(photos)
    store.open("earlier")
    store.trial("ab_00001", [0.1, 0.2])
    store.close()
    store.space()
    return store
