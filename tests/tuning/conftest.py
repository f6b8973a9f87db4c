"""Small real photographs for searches that take seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image
from srcnn.tuning import configure

from browsed_search import browsed
from empty_store import empty, with_store
from past_store import past_store

__all__ = ["browsed", "empty", "past_store", "with_store"]

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  n2: {type: categorical, choices: [8]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 2.0e-4, high: 8.0e-4, log: true}
  scale: {type: categorical, choices: [2, 3]}
constants:
  patch_size: 24
  batch_size: 8
"""
# None of which is nearly black: networks of eight filters die on such crops.
PHOTOGRAPHS = (
    "brick",
    "coins",
    "grass",
    "gravel",
    "ihc",
    "motorcycle_left",
    "rocket",
    "china",
    "flower",
    "grace_hopper",
)


@pytest.fixture(scope="session", autouse=True)
def configured() -> None:
    """Before any test starts Ray."""
    configure()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space, ten training photographs and two test photographs; it becomes the current one."""
    photographs = {"train": PHOTOGRAPHS, "test": ("astronaut", "camera")}
    for kind, names in photographs.items():
        for name, image in load(f"sample/{kind}").images:
            if name not in names:
                continue
            write_image(tmp_path / kind / f"{name}.png", image[100:196, 100:196])
    (tmp_path / "space.yaml").write_text(SPACE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
