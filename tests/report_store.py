"""A store with a search whose figures are invented, and readers of the report that is made of it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from srcnn.tuning.report.build import build
from srcnn.tuning.report.data.search_data import find_parent
from srcnn.tuning.report.document.document import Document
from srcnn.tuning.report.document.write import write
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.verdict import ConfirmedConfiguration, Lead, ScaleVerdict, SeedFigures, verdicts_json

__all__ = ["DATASET", "SPACE", "VERDICT", "Page", "Store", "a_whole_search", "store", "table_rows", "whole"]

SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
  scale: {type: categorical, choices: [2, 3]}
"""
DATASET = {"name": "T91", "digest": "abc", "images": "9"}
VERDICT = ScaleVerdict(
    scale=3,
    ranked=(
        ConfirmedConfiguration(
            "trial 9",
            "9",
            reference=False,
            chose=(SeedFigures(8, "c8", 1.78), SeedFigures(9, "c9", 1.79)),
            judged=(SeedFigures(10, "c10", 1.58, {"Set5": 32.10}), SeedFigures(11, "c11", 1.59, {"Set5": 32.30})),
            gain=Interval(1.585, 1.2, 1.9),
        ),
    ),
    validation_images=9,
    judging_images=10,
    leads=(Lead(None, Interval(0.006, -0.01, 0.02)),),
)


class Store:
    """A store in a folder, and a search that is written as a real one writes it."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.tracker = Tracker(self.uri, folder / "artifacts")
        self.folder = folder

    def open(self, name: str, **params: str) -> None:
        space = self.folder / "space.yaml"
        space.write_text(SPACE, encoding="utf-8")
        tags = {
            "mlflow.source.git.commit": "0123456789abcdef",
            "data.train": "T91",
            "data.digest": "abc",
            "device": "CPU",
            "version.torch": "2.11",
        }
        settings = {"trials": "9", "budget": "9000000.0", "seed": "7", "sampler": "tpe", "space": str(space), **params}
        self.tracker = Tracker(self.uri, self.folder / "artifacts")
        self.tracker.open_search(name, tags, settings)

    def trial(
        self,
        key: str,
        gains: list[float],
        outcome: str | None = Outcome.FINISHED,
        stage: str = "search",
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        **params: object,
    ) -> None:
        fields = {"n1": 8, "kernels": "5-1-3", "learning_rate": 5e-4, "scale": 3, "filters": "8-8", "seed": 7, **params}
        reference = str(key == "paper")
        name = name or f"trial {key}"
        self.tracker.start_trial(key, name, fields, {"stage": stage, "reference": reference, **(tags or {})}, DATASET)
        for epoch, gain in enumerate(gains, start=1):
            best = max(gains[:epoch])
            figures = {"val_gain": gain, "objective": gain / 2, "pixels": 1e6 * epoch, "train_seconds": 2.0 * epoch}
            self.tracker.log_epoch(key, epoch, {**figures, "best/val_gain": best, "best/objective": best / 2})
        if outcome is not None:
            failure = {"failure": "DeadNetworkError: a_b died | at step 3"} if outcome == "failed" else {}
            status = "FAILED" if outcome == Outcome.FAILED else "FINISHED"
            self.tracker.end_trial(key, status, {"outcome": outcome, **failure})

    def document(self, name: str | None = None) -> Document:
        return build(self.uri, find_parent(self.uri, name), "http://127.0.0.1:5000")

    def write(self, name: str | None = None) -> Path:
        write(self.document(name), self.folder / "out")
        return self.folder / "out"


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Store:
    shutil.copy(empty, tmp_path)
    return Store(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, empty: Path) -> Store:
    """A search that ended well, and its report."""
    store = Store(tmp_path_factory.mktemp("whole"))
    shutil.copy(empty, store.folder)
    a_whole_search(store)
    store.write()
    return store


def a_whole_search(store: Store) -> None:
    store.open("whole")
    store.trial("paper", [0.5, 0.8, 1.0])
    for i in range(10):
        kernels, n1 = ("5-3-3" if i % 2 else "5-1-3"), (16 if i % 3 else 8)
        gain = 1.0 + 0.3 * (i % 2) + 0.01 * i
        store.trial(str(i), [0.5, 0.7, gain], kernels=kernels, n1=n1, learning_rate=2e-4 + 5e-5 * i)
    store.trial("weak", [-3.0, 0.2], "stopped", learning_rate=9e-4)
    store.trial("dead", [], "failed")
    for seed in (8, 9, 10, 11):
        stage = "confirm" if seed < 10 else "judge"
        store.trial(f"c{seed}", [1.0, 1.5 + seed / 100], stage=stage, name=f"trial 9 seed {seed}", seed=seed)
    store.tracker.log_text(SPACE, "space.yaml")
    store.tracker.log_text(verdicts_json([VERDICT]), "verdicts.json")
    store.tracker.note("x3: this sentence is for people, and no report reads it")
    store.tracker.close_search("FINISHED")


class Page(HTMLParser):
    """What a browser would load, and what it shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._quiet = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._quiet += tag in ("script", "style")
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.text += data


def table_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
