"""What breaks around a search, broken for real: workers, nodes, memory, the tracking server, the disk."""

from __future__ import annotations

import importlib
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ray.cluster_utils import Cluster as Nodes

from srcnn.commands import runs
from srcnn.tuning.adapters.ray_titles import TRIAL_TITLE
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.faults import DiskFull
from srcnn.tuning.planning.settings import SearchSettings, load_settings
from srcnn.tuning.tracking.journal import JOURNAL_FILE
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.whole_search.consistency import open_books, verify
from srcnn.tuning.whole_search.run import plan_search, run_search

from _servers import MlflowServer, kin, patiently, postgres_programs, postgresql
from one_ray import start_ray

STORAGE = "mlruns/ray"
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests' modules


@pytest.fixture(autouse=True)
def _stored(with_store: Path) -> None:
    """Every search here writes into a store that has its tables."""


def settings(name: str, **fields: Any) -> SearchSettings:
    given = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2}
    return SearchSettings(**{**given, "budget": 150e3, "confirm": False, "scheduler": "none", **fields})


@contextmanager
def machine(hook: Callable[[], None] | None = None, **resources: Any) -> Iterator[None]:
    """Ray on this machine, whose workers call ``hook`` as they start."""
    environment = {} if hook is None else {"worker_process_setup_hook": hook}
    start_ray(runtime_env=environment, **resources)
    try:
        yield
    finally:
        ray.shutdown()


def sound(name: str, uri: str | None = None) -> None:
    """All stores agree on every trial."""
    books = open_books(name, Path(STORAGE), uri or f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")
    assert [problem.text for problem in verify(books)] == []


def hang() -> None:
    """Every first attempt of a trial with 8 filters hangs, and every attempt of one with 16.

    An attempt that hangs has a two-hundredth of the limit, so that no other one is taken for hanging on a busy machine.
    """
    trainable: Any = importlib.import_module("srcnn.tuning.worker.run_trial")

    train = trainable._train

    def hanging(trial: Any, data: Any, place: Any, folder: Any, device: Any, watchdog: Any) -> None:
        fit = trainable.fit

        def stuck(config: Any, *arguments: Any, **options: Any) -> Any:
            if config.filters[0] == 16 or not trainable.stalls(folder):
                watchdog._limit /= 200
                watchdog.wait()
                time.sleep(1e6)
            return fit(config, *arguments, **options)

        trainable.fit = stuck
        try:
            train(trial, data, place, folder, device, watchdog)
        finally:
            trainable.fit = fit

    trainable._train = hanging


@pytest.mark.slow
def test_a_trial_that_hangs_is_killed_and_begun_once_more(workplace: Path) -> None:
    Path("first.yaml").write_text(
        "- {n1: 8, n2: 8, kernels: 5-1-3, scale: 2, learning_rate: 4.0e-4}\n"
        "- {n1: 16, n2: 8, kernels: 5-1-3, scale: 3, learning_rate: 4.0e-4}\n",
        encoding="utf-8",
    )
    with machine(hang, num_cpus=2):
        result = run_search(plan_search(settings("hang", trials=2, stall_limit=600, enqueue=("first.yaml",))))
    once, always = sorted(result.rows, key=lambda row: row.config.filters)
    assert once.outcome is Outcome.FINISHED
    assert always.outcome is Outcome.FAILED
    assert always.failure.startswith("StalledError: no report in time, 2 times; see ")
    assert "stuck" in Path(always.failure.rpartition("see ")[2]).read_text(encoding="utf-8")  # where it hung
    sound("hang")


def dies_once(mark: Path) -> Callable[[], None]:
    """The first process that is reset for its next trial dies of it."""

    def prepare() -> None:
        function: Any = importlib.import_module("ray.tune.trainable.function_trainable").FunctionTrainable
        reset = function.reset_config

        def deadly(self: Any, config: Any) -> Any:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return reset(self, config)

        function.reset_config = deadly

    return prepare


def test_a_process_that_dies_between_two_trials_costs_neither(workplace: Path) -> None:
    with machine(dies_once(workplace / "died"), num_cpus=1):
        result = run_search(plan_search(settings("reset", trials=4)))
    assert (workplace / "died").exists()
    assert result.count(Outcome.FINISHED) == 4
    sound("reset")


def greedy() -> None:
    """A trial takes more memory than half a GPU has."""
    trainable: Any = importlib.import_module("srcnn.tuning.worker.run_trial")

    fit = trainable.fit

    def hungry(*arguments: Any, **options: Any) -> Any:
        if ray.get_runtime_context().get_assigned_resources()["GPU"] < 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")
        return fit(*arguments, **options)

    trainable.fit = hungry


@pytest.mark.slow
def test_a_trial_out_of_memory_gets_more_room(workplace: Path) -> None:
    faults: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "fault":
            faults.append(event.trial_id)

    with machine(greedy, num_cpus=2, num_gpus=1):
        result = run_search(plan_search(settings("greedy", trials=2, gpus_per_trial=0.25)), listener=listen)
    assert result.count(Outcome.FINISHED) == 2
    assert sorted(faults) == sorted([row.trial_id for row in result.rows] * 2)  # a quarter, a half, the whole
    sound("greedy")


def together(folder: Path, count: int) -> Callable[[], None]:
    """Workers that begin their first trial when so many of them are up."""

    def meet() -> None:
        trainable: Any = importlib.import_module("srcnn.tuning.worker.run_trial")

        fit = trainable.fit

        def waiting(*arguments: Any, **options: Any) -> Any:
            (folder / str(os.getpid())).touch()
            end = time.monotonic() + 100
            while len(list(folder.iterdir())) < count and time.monotonic() < end:
                time.sleep(0.05)
            return fit(*arguments, **options)

        trainable.fit = waiting

    folder.mkdir()
    return meet


@pytest.mark.slow
def test_half_a_gpu_packs_two(workplace: Path) -> None:
    kinds, devices = [], set()

    def listen(event: Event) -> None:
        kinds.append(event.kind)
        devices.add("cpu 0" if event.report is None else event.report.device)

    with machine(together(workplace / "up", 2), num_cpus=2, num_gpus=1):
        result = run_search(plan_search(settings("packed", trials=2, gpus_per_trial=0.5)), listener=listen)
    assert result.count(Outcome.FINISHED) == 2
    assert kinds[:2] == ["start", "start"]  # both, before either said a word
    assert devices == {"cpu 0"}


@pytest.mark.slow
def test_each_trial_sees_one_device_and_a_lost_node_is_survived(workplace: Path) -> None:
    nodes = patiently(lambda: Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0}))
    try:
        farm = [patiently(lambda: nodes.add_node(num_cpus=2, num_gpus=2)) for _ in range(2)]
        nodes.wait_for_nodes()
        hook = {"worker_process_setup_hook": together(workplace / "up", 4)}
        patiently(lambda: ray.init(nodes.address, log_to_driver=False, logging_level="ERROR", runtime_env=hook))
        seen: dict[str, set[tuple[str, str]]] = defaultdict(set)
        before: dict[str, set[tuple[str, str]]] = {}  # as far as all nodes were there

        def listen(event: Event) -> None:
            if event.report is not None:
                seen[event.trial_id].add((event.report.node, event.report.device))
                if len(seen) == 4 and not before:  # each of the four has begun: one of the two nodes goes
                    before.update({trial: set(places) for trial, places in seen.items()})
                    (gone,) = [node for node in farm if node.node_id == event.report.node]
                    farm.remove(gone)
                    nodes.remove_node(gone, allow_graceful=False)

        result = run_search(plan_search(settings("lost", trials=4, budget=1e6)), listener=listen)
        assert all(len(places) == 1 for places in before.values())
        assert len({place for places in before.values() for place in places}) == 4  # two GPUs on each of two nodes
        assert {device for places in seen.values() for _, device in places} == {"cpu 0", "cpu 1"}  # as Ray numbers them
        assert len(farm) == 1
        assert result.count(Outcome.FINISHED) == 4
        sound("lost")
    finally:
        ray.shutdown()
        nodes.shutdown()


@pytest.mark.slow
def test_killed_workers_and_a_server_that_was_away_cost_nothing(
    workplace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On PostgreSQL where it is installed, as on a cluster; else the server keeps SQLite."""
    with postgresql() if postgres_programs() else plain_database() as backend:
        server = MlflowServer(backend, workplace / "artifacts", workplace / "server.log")
        with server, machine(num_cpus=2):
            ended = 0
            back: list[threading.Timer] = []
            generator = random.Random(0)

            def listen(event: Event) -> None:
                nonlocal ended
                ended += event.kind == "end"
                if event.kind == "report" and not back:
                    server.stop()
                    back.append(threading.Timer(8.0, server.start))
                    back[0].start()
                    workers = kin(os.getpid(), TRIAL_TITLE)
                    os.kill(generator.choice(workers), signal.SIGKILL)

            with caplog.at_level(logging.WARNING, "srcnn"):
                result = run_search(plan_search(settings("away", trials=6, tracking_uri=server.uri)), listener=listen)
            back[0].join()
            assert result.count(Outcome.FINISHED) == 6
            assert ended == 6
            said = [record.getMessage() for record in caplog.records if record.name.startswith("srcnn")]
            assert any("is unavailable; its runs are kept in" in line and JOURNAL_FILE in line for line in said)
            assert said[-1] == f"MLflow at {server.uri} is available again"
            sound("away", server.uri)
            assert runs.main(["verify", "away", "--tracking-uri", server.uri]) == 0


@contextmanager
def plain_database() -> Iterator[str]:
    yield f"sqlite:///{Path.cwd()}/server.db"


@pytest.fixture
def small_disk(workplace: Path) -> Iterator[Path]:
    disk = workplace / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(disk)]
    made = patiently(lambda: subprocess.run(mount, capture_output=True))
    if made.returncode:
        pytest.skip("a small file system needs the right to mount one")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_a_full_disk_stops_a_search_which_goes_on_with_more_trials(small_disk: Path) -> None:
    given = settings("full", trials=8, storage=str(small_disk))
    with machine(num_cpus=1):
        with pytest.raises(DiskFull, match=r"storage: no space left for .*/disk/full"):
            run_search(plan_search(given))
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        more = load_settings("full", str(small_disk), {"trials": 10})
        result = run_search(plan_search(more), resume=True)
    assert result.count(Outcome.FINISHED) == 10
    books = open_books("full", small_disk, f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")
    assert [problem.text for problem in verify(books)] == []
