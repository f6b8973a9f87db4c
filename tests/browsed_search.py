"""A real search of twelve trials with a confirmation, whose runs are looked at in MLflow: in its store and in a browser."""

from __future__ import annotations

import os
import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image
from srcnn.tuning.planning.plan import plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.whole_search.result import SearchResult
from srcnn.tuning.whole_search.run import run_search

__all__ = ["Browsed", "browsed"]

_SPACE = """\
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
_TRAIN = (
    *("brick", "coins", "grass", "gravel", "ihc", "motorcycle_left", "rocket", "china", "flower", "grace_hopper"),
)
_TEST = ("astronaut", "camera")


@dataclass(frozen=True)
class Browsed:
    """A search that has ended."""

    folder: Path
    result: SearchResult

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @property
    def parent(self) -> Run:
        return self.client.get_run(self.result.run_id)

    @property
    def children(self) -> list[Run]:
        parent = self.parent.info
        return list(self.client.search_runs([parent.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.run_id}'"))


@pytest.fixture(scope="session")
def browsed(tmp_path_factory: pytest.TempPathFactory) -> Browsed:
    """One search for all processes of a test run; whoever comes second waits for it. Nothing here changes it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "browsed"
    with FileLock(f"{folder}.lock"):
        kept = folder / "result.pickle"
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            kept.write_bytes(pickle.dumps(_searched(folder)))
        return Browsed(folder, pickle.loads(kept.read_bytes()))


def _searched(folder: Path) -> SearchResult:
    for kind, wanted, side in (("train", _TRAIN, 96), ("test", _TEST, 200)):
        for name, image in load(f"sample/{kind}").images:
            if name in wanted:
                write_image(folder / kind / f"{name}.png", image[100 : 100 + side, 100 : 100 + side])
    (folder / "space.yaml").write_text(_SPACE, encoding="utf-8")
    settings = SearchSettings(
        name="browsed",
        trials=12,
        space=str(folder / "space.yaml"),
        train=str(folder / "train"),
        test=(str(folder / "test"),),
        validation=2,
        budget=150e3,
        best=1,
        choice_seeds=1,
        confirm_seeds=2,
        gpus_per_trial=0,
        max_concurrent=1,  # one process to start in each stage
        system_metrics=True,
        storage=str(folder / "ray"),
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
    )
    return run_search(plan_search(settings))
