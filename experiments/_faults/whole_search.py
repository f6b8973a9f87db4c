"""A whole search through Ray with a fault at every kind of point: pauses, confirmation, judging, registration.

All cases share one Ray instance in a process of its own; each driver is forked from this process, which has loaded the libraries,
joins the instance, and is killed alone. One worker and fixed times of the epochs make the search the same in every run, so that
the champion, every curve and the stores can be compared with those of the search that nothing disturbed.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray

from srcnn.commands.command_line import run
from srcnn.model.weights_file import load_network
from srcnn.tuning.driver.optuna_mirror import FILE
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store
from srcnn.tuning.whole_search.run import plan_search, run_search

from _faults.cases import (
    Case,
    Ended,
    Job,
    State,
    Tally,
    cases_of,
    difference,
    forked,
    fresh,
    left_over,
    matching,
    read_points,
    some,
)
from _faults.points import FAULTS, watch
from _faults.small_jobs import network_digest, picture
from _faults.store_jobs import books_state, mirror_state

__all__ = ["need_token", "run_whole_search"]

_NAME = "whole"
_LONGEST = 400.0  # seconds after which a search hangs, on a busy machine
_SPACE = """\
parameters:
  n1: {type: categorical, choices: [4, 6, 8]}
  n2: {type: categorical, choices: [4, 6]}
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
    for kind, count in (("train", 9), ("test", 1)):
        (folder / kind).mkdir()
        for number in range(count):
            picture(number if kind == "train" else 50 + number, 60, 60).save(folder / kind / f"{number}.png")


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
        judging=4,
        trials=4,
        budget=60e3,
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


def _acted(address: str, session: Path, folder: Path, fault: Any, log: Path | None) -> int:
    os.chdir(folder)
    watch([folder, session / "artifacts"], fault, log)
    return _act(address, folder)


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


def _ended_case(case: Case, base: Path, scratch: Path, wanted: State, act: Any) -> tuple[str, list[str]]:
    folder, where, problems = scratch / "case", f"search: {case.fault.kind} at {case.fault.point}", []
    fresh(base, folder)
    ended: Ended = forked(scratch, act, folder, case.fault, None, seconds=_LONGEST)
    if ended.code == -signal.SIGKILL:
        end = "killed"
        time.sleep(1.5)  # Ray ends the workers of a driver that is gone
    elif ended.code == -signal.SIGALRM:
        end = "hung"
        problems.append(f"{where}: hung")
    elif "Traceback" in ended.said:
        end = "traceback"
        problems.append(f"{where}: traceback: {ended.said.strip().splitlines()[-1][:200]}")
    else:
        end = "went on" if ended.code == 0 else "one line"
    if (case.fault.kind in ("kill", "torn")) != (end == "killed"):
        problems.append(f"{where}: {end}, so the point was not reached")
    again = forked(scratch, act, folder, None, None, seconds=_LONGEST)
    if again.code:
        said = again.said.strip().splitlines()
        return end, [*problems, f"{where}: given again, code {again.code}: {said[-1][:300] if said else ''}"]
    found = forked(scratch, _searched, folder)
    if found.code:
        return end, [*problems, f"{where}: its stores cannot be read: {found.said.strip().splitlines()[-1][:300]}"]
    if found.answer != wanted:
        problems.append(f"{where}: then {difference(wanted, found.answer)}")
    return end, problems


def run_whole_search(
    scratch: Path,
    *,
    every: bool = False,
    faults: Sequence[str] = FAULTS,
    part: tuple[int, int] = (1, 1),
    only: str = "",
) -> Tally:
    """Run the cases of a whole search, or a slice of them; arguments as for `_faults.cases.run_job`.

    Each case is appended to ``cases.jsonl`` beside the scratch folder, and is not run again.
    """
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    base, folder, tally = scratch / "base", scratch / "case", Tally()
    base.mkdir(parents=True)
    _prepare(base)
    done = scratch.with_name("search-cases.jsonl")
    known = {} if not done.exists() else {one["case"]: one for one in map(json.loads, done.read_text().splitlines())}
    with _instance() as (address, session):
        act, log = partial(_acted, address, session), scratch / "points.txt"
        fresh(base, folder)
        ended = forked(scratch, act, folder, None, log, seconds=_LONGEST)
        if ended.code:
            raise RuntimeError(f"search: code {ended.code} without a fault: {ended.said}")
        found = forked(scratch, _searched, folder)
        if found.code:
            raise RuntimeError(f"search: its stores cannot be read: {found.said}")
        wanted: State = found.answer
        points = read_points(log)
        tally.points = len(points)
        job = Job("search", _prepare, partial(_act, address), _searched)
        chosen = list(cases_of(job, matching(points if every else some(points), only), faults))[part[0] - 1 :: part[1]]
        print(f"search: {len(points)} points, {len(chosen)} cases", flush=True)
        for case in chosen:
            key = f"{case.fault.kind} at {case.fault.point}"
            if key not in known:
                end, problems = _ended_case(case, base, scratch, wanted, act)
                known[key] = {"case": key, "kind": case.fault.kind, "end": end, "problems": problems}
                known[key]["left"] = left_over(folder)
                with done.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[key]) + "\n")
                print(f"{end}: {key}", *problems, sep="\n  ", flush=True)
            one = known[key]
            tally.cases[one["kind"]] += 1
            tally.ends[one["end"]] += 1
            tally.problems += one["problems"]
            tally.left.update(one["left"])
    return tally
