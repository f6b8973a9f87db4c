"""A whole search through Ray with a fault at every kind of point: pauses, confirmation, judging, registration.

All cases share one Ray instance in a process of its own; each driver is forked from this process, which has loaded the libraries,
joins the instance, and is killed alone. One worker and fixed times of the epochs make the search the same in every run, so that
the champion, every curve and the stores can be compared with those of the search that nothing disturbed.
"""

from __future__ import annotations

import importlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray

from srcnn.commands.command_line import run
from srcnn.data.datasets import load
from srcnn.imaging.image_files import write_image
from srcnn.model.weights_file import load_network
from srcnn.tuning.driver.optuna_mirror import FILE
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store
from srcnn.tuning.whole_search.run import plan_search, run_search

from _faults.cases import Job, State
from _faults.small_jobs import network_digest
from _faults.store_jobs import books_state, mirror_state

__all__ = ["need_token", "whole_search_job"]

_NAME = "whole"
_LONGEST = 1500.0  # seconds after which a search hangs, on a busy machine
_SPACE = """\
parameters:
  n1: {type: categorical, choices: [12, 16]}
  n2: {type: categorical, choices: [8, 12]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3]}
  learning_rate: {type: float, low: 2.0e-4, high: 8.0e-4, log: true}
constants: {scale: 2, patch_size: 24, batch_size: 8}
"""
_HEAD = """\
import sys, ray
ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR", _temp_dir=sys.argv[1])
context = ray.get_runtime_context()
print(context.gcs_address, flush=True)
sys.stdin.read()
"""


def _prepare(folder: Path) -> None:
    (folder / "space.yaml").write_text(_SPACE, encoding="utf-8")
    for kind, count in (("train", 6), ("test", 1)):
        for name, image in load(f"sample/{kind}").images[:count]:
            write_image(folder / kind / f"{name}.png", image[100:160, 100:160])


def _steady() -> None:
    """Give every epoch of this worker the same times, because the search weighs gains against times."""
    worker: Any = importlib.import_module("srcnn.tuning.worker.run_trial")
    before = worker._figures

    def steady(result: Any, scale: int, *times: float) -> Any:
        return before(result, scale, *(1.0 for _ in times))

    worker._figures = steady


def _settings() -> SearchSettings:
    return SearchSettings(
        name=_NAME,
        space="space.yaml",
        train="train",
        test=("test",),
        validation=2,
        judging=0,
        trials=3,
        budget=100e3,
        scheduler="freeze-thaw",
        enqueue=(),
        best=1,
        choice_seeds=1,
        confirm_seeds=2,
        max_concurrent=1,
    )


def _act(address: str, folder: Path) -> int:
    hook = {"worker_process_setup_hook": _steady}
    ray.init(address=address, log_to_driver=False, logging_level="ERROR", runtime_env=hook)

    def work() -> int:
        plan = plan_search(_settings())
        return 1 if run_search(plan, resume=(folder / "mlruns/ray" / _NAME).is_dir()).interrupted else 0

    code = run(work, "interrupted")
    ray.shutdown()
    return code


def _searched(folder: Path) -> State:
    uri = f"sqlite:///{folder / 'mlruns/mlflow.db'}"
    storage = folder / "mlruns/ray"
    client, name = open_store(uri), names.registered_model(2)
    versions = client.search_model_versions(f"name='{name}'")
    titles = {alias: str(number) for alias, number in client.get_registered_model(name).aliases.items()}
    champions = []
    for one in versions:
        file = Path(client.download_artifacts(one.run_id, names.ARTIFACT_NETWORK))
        told = [
            one.tags[tag] for tag in (names.MODEL_CONFIGURATION, names.MODEL_VALIDATION_GAIN, names.MODEL_JUDGING_GAIN)
        ]
        champions.append([str(one.version), *told, network_digest(load_network(file))])
    return {
        **books_state(_NAME, storage, uri),
        "champions": sorted(champions),
        "titles": titles,
        "mirror": mirror_state(storage / _NAME / FILE),
    }


def need_token() -> None:
    """Start this program again with a token of Ray in its environment, which Ray reads when it is loaded."""
    if "RAY_AUTH_TOKEN" not in os.environ:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **token})


@contextmanager
def _instance() -> Iterator[tuple[str, Path]]:
    """Run a Ray instance with one core; yield its address and its session's folder."""
    place = Path(tempfile.mkdtemp(prefix="sf-"))  # short, because paths of sockets are limited
    hook = [sys.executable, "-c", _HEAD, str(place)]
    head = subprocess.Popen(hook, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert head.stdin is not None
    assert head.stdout is not None
    try:
        address = head.stdout.readline().strip()
        if not address:
            raise RuntimeError("Ray did not start")
        yield address, (place / "session_latest").resolve()
    finally:
        head.stdin.close()
        head.wait(60)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def whole_search_job() -> Iterator[Job]:
    """A search with pauses, a confirmation and a registration."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with _instance() as (address, session):
        yield Job(
            "search",
            _prepare,
            partial(_act, address),
            _searched,
            watched=(session / "artifacts",),
            rest=1.5,  # Ray ends the workers of a driver that is gone
            seconds=_LONGEST,
            twice=False,  # a search that has ended is not begun again
            certain=False,  # Tune writes its state by the clock
        )
