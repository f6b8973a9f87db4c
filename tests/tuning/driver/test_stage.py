"""One run of Tune on a real Ray: what fits on a cluster, what a stage returns, records and tells, and going on with it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import ray

from srcnn.config.training import TrainConfig
from srcnn.errors import SearchError
from srcnn.evaluation.degradation import degrade
from srcnn.training.patches import prepare
from srcnn.tuning.algorithms.fixed_list import Listed
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.driver.context import DriverContext
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.faults import DiskFull
from srcnn.tuning.driver.snapshot import newest_snapshot
from srcnn.tuning.driver.stage import Stage, run_stage, slots, starting
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.worker.run_trial import ScaleData

from checkout import ROOT

STARTING = "TUNE_MAX_PENDING_TRIALS_PG"


@pytest.fixture(scope="module", autouse=True)
def one_ray() -> Iterator[None]:
    """Four cores and two GPUs, as Ray counts them; no trial here asks for a GPU."""
    ray.init(
        address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    yield
    ray.shutdown()


@dataclass(frozen=True)
class Wanted:
    """What a trial gets."""

    gpus_per_trial: float | Literal["auto"] | None = 0.0
    cpus_per_trial: int = 1
    max_concurrent: int | None = None
    stall_limit: float | None = None


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 4),
        (Wanted(cpus_per_trial=2), 2),
        (Wanted(cpus_per_trial=3), 1),
        (Wanted(cpus_per_trial=9), 1),  # a trial that does not fit is refused elsewhere
        (Wanted(max_concurrent=3), 3),
        (Wanted(max_concurrent=30), 4),
        (Wanted(gpus_per_trial=None), 2),  # one each where there are some
        (Wanted(gpus_per_trial=0.25), 4),  # eight would fit on the GPUs, and four on the cores
        (Wanted(gpus_per_trial=0.25, cpus_per_trial=2), 2),
        (Wanted(gpus_per_trial=2.0), 1),
    ],
    ids=str,
)
def test_trials_at_a_time_are_what_cores_and_gpus_hold(wanted: Wanted, count: int) -> None:
    assert slots(wanted) == count


SPECS = [
    TrialSpec(
        TrainConfig(
            kernels=(5, 1, 3),
            filters=(4, 4),
            scale=2,
            patch_size=20,
            batch_size=2,
            pixels=5400,
            epoch_pixels=600,
            seed=seed,
            optimizer="sgd",
            learning_rate=rate,
        ),
        data="images",
    )
    for seed, rate in ((1, 1e-4), (2, 1e30), (3, 1e-4))
]


@pytest.fixture(scope="module")
def data() -> dict[int | str, ScaleData]:
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    source = {"name": "noise", "digest": "abc", "images": "1"}
    return {"images": ScaleData(prepare([("noise", image)], 2), (degrade(image, 2, name="noise"),), source)}


class Driven:
    """A stage in a folder of its own, with a real store."""

    def __init__(self, folder: Path, data: dict[int | str, ScaleData]) -> None:
        self.tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", folder / "journal")
        self.tracker.open_search("s", {}, {})
        self.folder, self.data = folder / "stage", data
        self.heard: list[Event] = []

    def stage(self, specs: list[TrialSpec]) -> Stage:
        return Stage("table", self.folder, len(specs), Listed(specs), "none", (2,))

    def run(
        self,
        specs: list[TrialSpec],
        wanted: Wanted = Wanted(),
        *,
        resume: bool = False,
        listener: Callable[[Event], None] | None = None,
    ) -> list[tuple[int, Outcome, str]]:
        context = DriverContext(self.tracker, listeners=(listener or self.heard.append,))
        self.results = run_stage(wanted, self.stage(specs), self.data, context, {"kind": "test"}, resume=resume)
        return sorted((one.config.seed, one.outcome, one.failure.partition(":")[0]) for one in self.results)


@pytest.fixture
def driven(tmp_path: Path, empty: Path, data: dict[int | str, ScaleData]) -> Iterator[Driven]:
    shutil.copy(empty, tmp_path)
    made = Driven(tmp_path, data)
    yield made
    made.tracker.close_search("KILLED")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(gpus_per_trial=3.0), ("gpus_per_trial", "2", "3")),
        (Wanted(cpus_per_trial=5), ("cpus_per_trial", "4", "5")),
    ],
    ids=str,
)
def test_more_than_the_cluster_has_is_refused(driven: Driven, wanted: Wanted, words: tuple[str, ...]) -> None:
    """Tune would wait for ever."""
    with pytest.raises(SearchError) as caught:
        driven.run(SPECS, wanted)
    assert all(word in str(caught.value) for word in words)
    assert not driven.folder.exists()


def test_a_stage_returns_records_and_tells_the_same_and_is_not_run_twice(driven: Driven) -> None:
    found = driven.run(SPECS, resume=True)  # there is nothing to go on with, so it begins
    assert found == [(1, Outcome.FINISHED, ""), (2, Outcome.FAILED, "DivergenceError"), (3, Outcome.FINISHED, "")]
    sound = [one for one in driven.results if one.outcome is Outcome.FINISHED]
    assert all(one.checkpoint is not None and one.checkpoint.is_file() for one in sound)
    assert all(one.report is not None and len(one.report.curve) == 9 for one in sound)
    runs = {run.data.tags["srcnn.trial"]: run for run in driven.tracker.children()}
    assert {key: run.data.tags["outcome"] for key, run in runs.items()} == {
        one.trial_id: one.outcome for one in driven.results
    }
    assert {(run.data.tags["stage"], run.data.tags["kind"]) for run in runs.values()} == {("table", "test")}
    ends = {event.trial_id: event.outcome for event in driven.heard if event.kind == "end"}
    assert ends == {one.trial_id: one.outcome for one in driven.results}
    assert sum(event.kind == "start" for event in driven.heard) == 3

    driven.heard.clear()
    before = {one.trial_id for one in driven.results}
    assert driven.run(SPECS, resume=True) == found
    assert {one.trial_id for one in driven.results} == before
    assert {event.trial_id: (event.kind, event.outcome) for event in driven.heard} == {
        one.trial_id: ("restored", one.outcome) for one in driven.results
    }
    assert len(driven.heard) == 3
    assert len(driven.tracker.children()) == 3


def test_all_processes_start_together_unless_trials_would_be_suggested_too_early(driven: Driven) -> None:
    seen: list[str | None] = []
    driven.run(SPECS[:1], Wanted(max_concurrent=3), listener=lambda event: seen.append(os.environ.get(STARTING)))
    assert set(seen) == {"3"}
    assert STARTING not in os.environ
    seen.clear()
    searcher = StudySearcher(load_space(ROOT / "search_spaces" / "default.yaml"), 0, {"pixels": 1e6}, sampler="random")
    for stopping, expected in (("freeze-thaw", {STARTING: "2"}), ("asha", {})):
        stage = Stage("search", driven.folder, 9, searcher, stopping, (2,))
        assert starting(Wanted(max_concurrent=2), stage) == expected


def test_a_full_disk_ends_a_stage_which_goes_on_when_there_is_room(driven: Driven) -> None:
    def full(event: Event) -> None:
        if event.kind == "end":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull, match=r"storage: .*stage"):
        driven.run(SPECS[:1], listener=full)
    assert newest_snapshot(driven.folder) is not None
    assert driven.run(SPECS[:1], resume=True) == [(1, Outcome.FINISHED, "")]
