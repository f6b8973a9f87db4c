"""Kill searches at random times, resume them, and count lost, duplicate and unfinished runs.

    python experiments/soak.py --driver-kills 20 --worker-kills 20
    python experiments/soak.py --store postgresql --driver-kills 20 --worker-kills 20 --json soak.json

Every search is a real one with 12 trials and a confirmation, on crops of the bundled photographs. Its driver and its
workers are killed (SIGKILL) at random times, and the same command resumes it until it ends. Then the state of Ray Tune,
Optuna's study, the runs in MLflow and the networks on disk must agree. The exit code is 1 if they do not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from srcnn.commands.main import end_without_platform

if __name__ == "__main__":  # what is imported below needs the platform
    end_without_platform("soak")

from srcnn.commands.command_line import Parser, run
from srcnn.data.datasets import load
from srcnn.errors import ConfigError
from srcnn.imaging.image_files import write_image
from srcnn.tuning import configure
from srcnn.tuning.adapters.ray_titles import TRIAL_TITLE
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.store_address import absolute_uri
from srcnn.tuning.whole_search.consistency import open_books, verify

from _bench.provenance import header
from _servers import MlflowServer, kin, postgresql

_COMMAND = Path(__file__).with_name("search.py")
_SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16, 24]}
  n2: {type: categorical, choices: [8, 16]}
  kernels: {type: categorical, choices: [5-1-3, 5-3-3, 9-1-5]}
  learning_rate: {type: float, low: 2.0e-4, high: 8.0e-4, log: true}
  scale: {type: categorical, choices: [2, 3]}
constants: {patch_size: 24, batch_size: 8}
"""
_LONGEST = 600.0  # time limit of one attempt, in seconds; beyond it the attempt counts as hanging


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--store", choices=("sqlite", "postgresql"), default="sqlite", help="store of MLflow (default: sqlite)"
    )
    parser.add_argument(
        "--driver-kills", type=int, default=20, help="minimum number of kills of the driver (default: 20)"
    )
    parser.add_argument("--worker-kills", type=int, default=20, help="minimum number of kills of workers (default: 20)")
    parser.add_argument("--trials", type=int, default=12, help="trials per search (default: 12)")
    parser.add_argument("--budget", default="1500k", help="training pixels per trial (default: 1500k)")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the times (default: 0)")
    parser.add_argument("--folder", type=Path, help="folder of the searches, kept (default: a temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the counts")
    return parser


def _prepare(folder: Path) -> None:
    for kind, count in (("train", 6), ("test", 2)):
        for name, image in load(f"sample/{kind}").images[:count]:
            write_image(folder / kind / f"{name}.png", image[100:196, 100:196])
    (folder / "space.yaml").write_text(_SPACE, encoding="utf-8")


class Soak:
    """A series of searches that are killed and resumed.

    Args:
        folder: folder of the searches.
        uri: address of the MLflow store.
        trials: number of trials per search.
        budget: training pixels per trial.
        seed: random seed of the times.
    """

    def __init__(self, folder: Path, uri: str, trials: int, budget: str, seed: int) -> None:
        self._folder, self._uri, self._trials, self._budget = folder, uri, trials, budget
        self._random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []

    def search(self, name: str, driver_kills: int, worker_kills: int) -> None:
        """Run one search: kill it, resume it until it ends, and verify it."""
        driver, worker = driver_kills, worker_kills
        while True:
            began = time.monotonic()
            process = subprocess.Popen(
                [
                    *(
                        sys.executable,
                        str(_COMMAND),
                        "--name",
                        name,
                        "--resume",
                        name,
                        "--space",
                        "space.yaml",
                        "--no-report",
                        "--scheduler",
                        "freeze-thaw",  # trials that pause have the most states to lose
                    ),
                    *("--train", "train", "--test", "test", "--validation", "2", "--trials", str(self._trials)),
                    *("--budget", self._budget, "--best", "1", "--confirm-seeds", "2", "--tracking-uri", self._uri),
                ],
                cwd=self._folder,
                stdout=(self._folder / f"{name}.log").open("ab"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            end = began + (self._random.uniform(5, 40) if driver else _LONGEST)
            next_kill = began + self._random.uniform(8, 25)
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
                if worker and time.monotonic() >= next_kill and (there := kin(process.pid, TRIAL_TITLE)):
                    with suppress(ProcessLookupError):
                        os.kill(self._random.choice(there), signal.SIGKILL)
                        worker -= 1
                        self.counts["worker kills"] += 1
                    next_kill = time.monotonic() + self._random.uniform(2, 15)
            if process.poll() is None:
                _kill_all(process.pid)
                process.wait()
                if not driver:
                    self.problems.append(f"{name}: hung for {_LONGEST:.0f} s")
                    return
                driver -= 1
                self.counts["driver kills"] += 1
                continue
            self.counts["searches"] += 1
            if process.returncode != 0:
                self.problems.append(f"{name}: exit code {process.returncode}; see {self._folder / name}.log")
                return
            self._check(name)
            return

    def _check(self, name: str) -> None:
        books = open_books(name, self._folder / "mlruns/ray", self._uri)
        self.problems += [f"{name}: {p.kind}: {p.trial} {p.text}" for p in verify(books)]
        searched = [run for run in books.runs if run.data.tags.get(names.TAG_STAGE) == "search"]
        keys = {run.data.tags[names.TAG_TRIAL] for run in books.runs}
        found = {
            "Optuna": len(books.optuna or ()),
            "MLflow": sum(run.info.status in ("FINISHED", "FAILED") for run in searched),
            "MLflow's runs": len(searched),
            "Tune": sum(t.trial_id in (books.optuna or ()) and t.is_finished() for t in books.trials),
        }
        self.problems += [
            f"{name}: {n} trials of {self._trials} in {store}" for store, n in found.items() if n != self._trials
        ]
        if len(keys) != len(books.runs):
            self.problems.append(f"{name}: {len(books.runs)} runs for {len(keys)} trials")
        self.counts["trials"] += len(books.trials)
        self.counts["runs"] += len(books.runs)
        self.counts["failed trials"] += sum(run.info.status == "FAILED" for run in books.runs)


def _kill_all(pid: int) -> None:
    """Kill only the driver; Ray's processes end with it."""
    os.kill(pid, signal.SIGKILL)
    time.sleep(1.0)


def _main(argv: list[str] | None) -> int:
    options = _parser().parse_args(argv)
    configure()
    for name in ("driver_kills", "worker_kills"):
        if getattr(options, name) < 0:
            raise ConfigError(f"{name}: must not be negative, but got {getattr(options, name)}")
    kills = options.driver_kills + options.worker_kills
    about = header("soak.py", sys.argv[1:] if argv is None else argv, kills, options.seed)
    began = time.monotonic()
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="srcnn-soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "mlruns", ignore_errors=True)
        _prepare(folder)
        uri = absolute_uri(f"sqlite:///{folder / 'mlruns/mlflow.db'}")
        if options.store == "postgresql":
            backend = stack.enter_context(postgresql())
            uri = stack.enter_context(MlflowServer(backend, folder / "artifacts", folder / "mlflow.log")).uri
        soak = Soak(folder.resolve(), uri, options.trials, options.budget, options.seed)
        number = 0
        while True:
            drivers = options.driver_kills - soak.counts["driver kills"]
            workers = options.worker_kills - soak.counts["worker kills"]
            if (drivers <= 0 and workers <= 0 and number) or soak.problems:
                break
            number += 1
            soak.search(f"soak-{number}", min(3, max(drivers, 0)), min(3, max(workers, 0)))
            print(f"{time.monotonic() - began:6.0f} s  {dict(soak.counts)}; {len(soak.problems)} problems", flush=True)
    for problem in soak.problems:
        print(problem)
    result: dict[str, Any] = {"provenance": about, "store": options.store, **soak.counts, "problems": soak.problems}
    result["seconds"] = round(time.monotonic() - began)
    print(json.dumps({name: value for name, value in result.items() if name != "provenance"}))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if soak.problems else 0


def main(argv: list[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run(lambda: _main(argv), "interrupted")


if __name__ == "__main__":
    sys.exit(main())
