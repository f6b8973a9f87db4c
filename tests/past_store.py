"""A store with past searches over the default space's kind of parameters, written as real searches write them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking.tracker import Tracker, flat_params

__all__ = ["PastStore", "past_store"]

_SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  n2: {type: int, low: 4, high: 8, step: 4}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
  scale: {type: categorical, choices: [2, 3]}
"""
_DATASET = {"name": "T91", "digest": "abc", "images": "9"}


class PastStore:
    """A store in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.uri = folder, f"sqlite:///{folder / 'mlflow.db'}"
        self.tracker = Tracker(self.uri, folder / "artifacts")

    def space(self, text: str = _SPACE) -> Space:
        """The present space; the text may be changed."""
        file = self.folder / "space.yaml"
        file.write_text(text, encoding="utf-8")
        return load_space(file)

    def open(self, name: str) -> None:
        self.tracker = Tracker(self.uri, self.folder / "artifacts")
        self.tracker.open_search(name, {}, {"space": "gone.yaml"})

    def trial(
        self,
        key: str,
        curve: list[float],
        outcome: str | None = "finished",
        stage: str = "search",
        tags: dict[str, str] | None = None,
        **fields: object,
    ) -> None:
        """Write a trial with fields of a `TrainConfig`, of nine epochs in 900 target pixels."""
        given = {"kernels": (5, 1, 3), "filters": (8, 4), "learning_rate": 5e-4, "scale": 3, "pixels": 900, **fields}
        config = TrainConfig(**{"epoch_pixels": 100, **given})
        own = {"stage": stage, "srcnn.configuration": f"x3 {config.name}", **(tags or {})}
        self.tracker.start_trial(key, f"trial {key}", flat_params(config), own, _DATASET)
        for epoch, value in enumerate(curve, start=1):
            figures = {
                "objective": value,
                "train_seconds": 2.0 * epoch,
                "pixels": 100.0 * epoch,
                "best/val_gain": 2 * value,
            }
            self.tracker.log_epoch(key, epoch, figures)
        if outcome is not None:
            cause = {"failure": "DivergenceError: loss is nan", "failure.kind": "DivergenceError"}
            ended = {"outcome": outcome, **(cause if outcome == "failed" else {})}
            self.tracker.end_trial(key, "FAILED" if outcome == "failed" else "FINISHED", ended)

    def close(self, status: str = "FINISHED") -> None:
        self.tracker.close_search(status)


@pytest.fixture
def past_store(tmp_path: Path, empty: Path) -> PastStore:
    shutil.copy(empty, tmp_path)
    return PastStore(tmp_path)
