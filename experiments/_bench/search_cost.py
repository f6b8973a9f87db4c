"""Section ``platform``: overhead of a search, without its trials, including tracking. Its files are in a temporary folder.

* Many trivial trials: the time from the first trial's start to the last one's end, minus the compute of the trials divided by
  the slots, per trial. Compute is the wall time in `srcnn.training.fit.fit` (training and evaluation on validation images),
  measured in the trials.
* Trials of about ten seconds, without early stopping: compute divided by the slots' time from first start to last end.
* ``experiments/search.py`` from the command to its first training step, with a warm cache. This is the time to the
  first report minus the reported training time; it includes the first validation and is therefore an upper bound.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.evaluation.degradation import degrade
from srcnn.system.device import pick_device
from srcnn.training.fit import EpochResult, fit
from srcnn.training.patches import prepare
from srcnn.tuning.trials.outcome import Outcome

from _bench.machine import ROOT, child_environment, images, pinned
from _bench.record import Bench, summary

if TYPE_CHECKING:
    from srcnn.tuning.driver.events import Event

__all__ = ["run_platform", "timed_trial"]

_SPACES = ROOT / "search_spaces"
_TRIVIAL = 2e5  # target pixels of a trial: ten steps, nine reports
_NOTES = "SRCNN_BENCH_NOTES"  # environment variable of the trials: file for their times
_TEN = """\
parameters:
  learning_rate: {type: float, low: 4.0e-4, high: 6.0e-4, log: true}
constants:
  kernels: 9-1-5
  filters: 64-32
  scale: 3
"""


def _seconds(event: Event) -> float:
    """Training seconds of a trial that ended."""
    figures = None if event.report is None else event.report.figures
    return 0.0 if figures is None else figures.train_seconds


class _Watch:
    """Records the start and end of trials and their training time."""

    def __init__(self) -> None:
        self.starts: dict[str, float] = {}
        self.ends: dict[str, float] = {}
        self.training = 0.0  #: reported training time, in seconds

    def __call__(self, event: Event) -> None:
        if event.kind == "start":
            self.starts.setdefault(event.trial_id, time.perf_counter())
        elif event.kind == "end":
            self.ends[event.trial_id] = time.perf_counter()
            self.training += _seconds(event)

    @property
    def span(self) -> float:
        """Time from first start to last end, in seconds."""
        return max(self.ends.values()) - min(self.starts.values())


def timed_trial(trial: Mapping[str, Any], **parameters: Any) -> None:
    """Call `srcnn.tuning.worker.run_trial.run_trial` and write the duration of each step of ``fit`` to a file."""
    from srcnn.tuning.worker.run_trial import run_trial

    with mock.patch("srcnn.tuning.worker.run_trial.fit", _timed_fit):
        run_trial(trial, **parameters)


def _timed_fit(*arguments: Any, **options: Any) -> Iterator[EpochResult]:
    epochs = fit(*arguments, **options)
    while True:
        started = time.perf_counter()
        result = next(epochs, None)
        with Path(os.environ[_NOTES]).open(
            "a", encoding="ascii"
        ) as file:  # short lines can be appended by several processes
            file.write(f"{time.perf_counter() - started:.6f}\n")
        if result is None:
            return
        yield result


@contextmanager
def _noting(file: Path) -> Iterator[None]:
    """Make searches in the block use `timed_trial`; their processes can import this module."""
    with (
        mock.patch.dict(os.environ, {**child_environment(), _NOTES: str(file)}),
        mock.patch("srcnn.tuning.driver.stage.run_trial", timed_trial),
    ):
        file.touch()
        yield


def _search(bench: Bench, folder: Path, name: str, **fields: Any) -> dict[str, Any]:
    """Run a search on two slots and return the use of their time."""
    from srcnn.tuning.planning.settings import SearchSettings
    from srcnn.tuning.whole_search.run import plan_search, run_search

    place = {"storage": str(folder / "ray"), "tracking_uri": f"sqlite:///{folder}/mlflow.db"}
    settings = SearchSettings(
        name=name, gpus_per_trial=0, confirm=False, data_root=bench.data_root, **{**place, **fields}
    )
    slots = min(settings.max_concurrent or os.cpu_count() or 1, os.cpu_count() or 1)
    started = time.perf_counter()
    plan, watch = plan_search(settings), _Watch()
    notes = folder / f"{name}.seconds"
    with _noting(notes):
        result = run_search(plan, listener=watch)
    whole = time.perf_counter() - started
    compute = sum(map(float, notes.read_text(encoding="ascii").split()))
    lengths = [watch.ends[trial] - watch.starts[trial] for trial in watch.ends]
    return {
        "trials": len(lengths),
        Outcome.FAILED: result.count(Outcome.FAILED),
        Outcome.STOPPED: result.count(Outcome.STOPPED),
        "slots": slots,
        "data": plan.training.name,
        "span_seconds": watch.span,
        "whole_command_seconds": whole,
        "to_first_start_seconds": min(watch.starts.values()) - started,
        "compute_seconds": compute,
        "train_seconds": watch.training,
        "trial_seconds": summary(lengths),
        "compute_per_trial": compute / len(lengths),
        "beyond_compute_per_trial": (watch.span - compute / slots) / len(lengths),
        "beyond_compute_slot_seconds_per_trial": (watch.span * slots - compute) / len(lengths),
        "whole_command_beyond_compute_per_trial": (whole - compute / slots) / len(lengths),
        "occupied": sum(lengths) / (slots * watch.span),
        "busy": compute / (slots * watch.span),
    }


def _budget(training: ImageSet, validation: ImageSet, seconds: float) -> float:
    """Return the target pixels of trials of about ``seconds`` on this machine, including evaluation on validation images."""
    data = prepare(training.images, 3)
    held = [degrade(image, 3, name=name) for name, image in validation.images]
    with pinned(None):
        config = TrainConfig(kernels="9-1-5", filters=(64, 32), pixels=3e6, epoch_pixels=1e6)
        started, times = time.perf_counter(), []
        for result in fit(config, data, validation=held, device=pick_device("cpu")):
            times.append((time.perf_counter() - started, result.seconds, result.pixels))
    (wall, trained, pixels), (last_wall, last_trained, last_pixels) = times[0], times[-1]
    look = (last_wall - wall - (last_trained - trained)) / (len(times) - 1)
    return (last_pixels - pixels) / (last_trained - trained) * max(seconds / 4, seconds - 9 * look)


def _to_first_step(bench: Bench, folder: Path, name: str, train: str, test: str) -> dict[str, float]:
    from mlflow.tracking import MlflowClient

    from srcnn.tuning.tracking import names

    uri = f"sqlite:///{folder}/first.db"  # one store for all: the first command creates its tables and fills the caches
    command = [sys.executable, str(ROOT / "experiments" / "search.py"), "--name", name, "--trials", "1"]
    command += ["--no-report"]  # which comes after the search
    command += ["--train", train, "--test", test, "--budget", "500k", "--storage", str(folder / "ray")]
    command += ["--tracking-uri", uri, "--space", str(_SPACES / "default.yaml"), "--gpus-per-trial", "0"]
    command += ["--data-root", bench.data_root] if bench.data_root else []
    started = time.time()
    subprocess.run(command, env=child_environment(), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    ended = time.time()
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(names.EXPERIMENT)
    assert experiment is not None, "the search made it"
    reports = []
    for run in client.search_runs([experiment.experiment_id]):
        if run.info.start_time >= 1e3 * started:  # only runs of this search
            history = client.get_metric_history(run.info.run_id, names.METRIC_TRAIN_SECONDS)
            reports += [metric for metric in history if metric.step == 1]
    first = min(reports, key=lambda metric: float(metric.timestamp))
    return {"first_step": first.timestamp / 1e3 - first.value - started, "whole": ended - started}


def run_platform(bench: Bench) -> None:
    """Measure and print."""
    root = data_root(bench.data_root)
    training = images("T91", root, "sample/train")
    test = images("Set5", root, "sample/test").name
    common: dict[str, Any] = {"train": training.name, "test": (test,), "max_concurrent": min(2, os.cpu_count() or 1)}
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="srcnn-bench-") as name:
        folder = Path(name)
        commands = []
        for i in range(3 if bench.quick else 4):
            found = _to_first_step(bench, folder, f"first{i}", training.name, test)
            bench.say(f"command to first training step: {found['first_step']:.1f} s")
            commands.append(found)
        warm = commands[1:]  # the first one filled the caches
        result["first_step"] = summary([c["first_step"] for c in warm])
        result["first_step_cold"] = commands[0]["first_step"]
        result["command_of_one_trial"] = summary([c["whole"] for c in warm])
        bench.record.put("platform", result)
        default = str(_SPACES / "default.yaml")
        trials = 12 if bench.quick else 50
        result["trivial"] = _search(bench, folder, "trivial", trials=trials, budget=_TRIVIAL, space=default, **common)
        bench.say(f"{trials} trivial trials done")
        bench.record.put("platform", result)
        (folder / "ten.yaml").write_text(_TEN, encoding="utf-8")
        count = min(12, max(2, round(len(training) / 10)))
        budget = _budget(*split(training, count, 123), 4 if bench.quick else 10)
        # No successive halving, which would stop most trials before ten seconds.
        result["ten_seconds"] = _search(
            bench, folder, "ten", trials=8, budget=budget, space=str(folder / "ten.yaml"), scheduler="none", **common
        )
        bench.record.put("platform", result)
    _show(bench, result)


def _show(bench: Bench, result: dict[str, Any]) -> None:
    trivial, ten, first = result["trivial"], result["ten_seconds"], result["first_step"]
    beyond = f"{trivial['trials']} trivial trials, beyond their compute: s a trial"
    took = f"{first['median']:.1f} [{first['min']:.1f}..{first['max']:.1f}]"
    rows = [
        [beyond, f"{trivial['beyond_compute_per_trial']:.3f}"],
        ["  slot-seconds a trial", f"{trivial['beyond_compute_slot_seconds_per_trial']:.3f}"],
        ["  with start, test sets and end of the search", f"{trivial['whole_command_beyond_compute_per_trial']:.3f}"],
        ["  their compute: slot-seconds a trial", f"{trivial['compute_per_trial']:.3f}"],
        [
            f"{ten['trials']} trials of {ten['trial_seconds']['median']:.1f} s: slots busy, %",
            f"{100 * ten['busy']:.1f}",
        ],
        ["  slots taken by a trial, %", f"{100 * ten['occupied']:.1f}"],
        [f"command to first training step, s (n {first['n']})", took],
        ["  the first time, caches perhaps cold, s", f"{result['first_step_cold']:.1f}"],
    ]
    notes = [
        f"{trivial['slots']} slots of one core, data {trivial['data']}, SQLite tracking; one search each, so no spread",
        "compute: wall time inside fit (training and validation), measured in the trials; the rest is the platform",
    ]
    bench.table("platform", ["measured", ""], rows, notes)
