"""Section ``quality``: training time until a network reaches a PSNR on Set5, at x3, trained on T91 (82 images; 9 validate).

With a cosine schedule the middle of a long run is worse than the end of a shorter one. So the time to a PSNR is measured on
complete runs: it is that of the shortest run, from a series of pixel budgets, whose final PSNR is at or above it. No choice
depends on Set5; it is measured once per run.

Times are core-seconds of this process (on a GPU: seconds) for training only. Those of the nine evaluations on
validation images, as in a search, are given separately. The process is warm, and the images are prepared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.known_sets import data_root
from srcnn.errors import TrainingError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import score
from srcnn.model.network import SRCNN
from srcnn.system.device import pick_device, resolve_precision
from srcnn.system.own_process import one_process
from srcnn.training.fit import fit
from srcnn.training.patches import TrainingData, prepare

from _bench.machine import clock, images, pinned
from _bench.quality_table import show
from _bench.record import Bench, summary
from _bench.worker import FILTERS, SCALE, Worker, held_out

__all__ = ["Job", "Runs", "climb", "run_quality"]

_EPOCHS = 9  # as in a search
_SEED = 123
_BUDGETS = tuple(n * 1e6 for n in (0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128))
_QUICK_BUDGETS = tuple(n * 1e6 for n in (0.5, 1, 2, 4, 8, 16, 32, 64, 128))
_GOALS: Mapping[str, tuple[float, ...]] = {"9-1-5": (31.3, 32.0, 32.39), "9-5-5": (31.3, 32.0, 32.39, 32.75)}
_LONGEST = {"9-1-5": 128e6, "9-5-5": 64e6}
_FINAL = 8e6  # target pixels of the runs for the variation over seeds
_PLAIN_GOAL, _PLAIN_LIMIT, _PLAIN_SLICE = 31.3, 240.0, 4.0
_PLAIN_KERNELS = "9-1-5"


@dataclass(frozen=True)
class Job:
    """One run, identified by its name in the file."""

    kernels: str
    pixels: float
    seed: int
    precision: str = "auto"

    @property
    def name(self) -> str:
        """``9-1-5 8M seed 123 auto``."""
        return f"{self.kernels} {self.pixels / 1e6:g}M seed {self.seed} {self.precision}"

    @property
    def config(self) -> TrainConfig:
        """Return the default configuration with the changes of the job."""
        fields: dict[str, Any] = {"kernels": self.kernels, "filters": FILTERS, "scale": SCALE, "seed": self.seed}
        fields |= {"pixels": self.pixels, "epoch_pixels": self.pixels / _EPOCHS, "precision": self.precision}
        return TrainConfig(**fields)


Outcome = dict[str, Any]


class Runs:
    """Runs by name; each is made once and stored at once."""

    def __init__(self, make: Callable[[Job], Outcome], kept: dict[str, Outcome], keep: Callable[[], None]) -> None:
        self.kept, self._make, self._keep = kept, make, keep

    def __call__(self, job: Job) -> Outcome:
        if job.name not in self.kept:
            self.kept[job.name] = self._make(job)
            self._keep()
        return self.kept[job.name]


def climb(
    runs: Callable[[Job], Outcome], kernels: str, seed: int, goals: Sequence[float], budgets: Iterable[float]
) -> dict[float, Outcome]:
    """Train with increasing budgets until all goals are reached. Return for each goal the first run that ends at or above it."""
    reached: dict[float, Outcome] = {}
    for pixels in budgets:
        outcome = runs(Job(kernels, pixels, seed))
        for goal in goals:
            if goal not in reached and outcome.get("test_psnr", 0.0) >= goal:
                reached[goal] = outcome
        if len(reached) == len(goals):
            break
    return reached


class _Trainer:
    """Trains and measures runs."""

    def __init__(self, data: TrainingData, validation: list[Degraded], test: list[Degraded], device: str) -> None:
        self._data, self._validation, self._test, self._device = data, validation, test, device

    def __call__(self, job: Job) -> Outcome:
        training = validation = 0.0
        wall = time.perf_counter()
        outcome: Outcome = {"kernels": job.kernels, "pixels": job.pixels, "seed": job.seed}
        outcome["precision"] = resolve_precision(job.precision, pick_device(self._device))
        epochs, result, psnr = fit(job.config, self._data, device=pick_device(self._device)), None, 0.0
        while True:
            started = clock(self._device)
            try:
                found = next(epochs, None)
            except TrainingError as error:
                return outcome | {"failure": f"{type(error).__name__}: {error}"}
            training += clock(self._device) - started
            if found is None:
                break
            result = found
            started = clock(self._device)
            psnr = _mean(result.network, self._validation)
            validation += clock(self._device) - started
        assert result is not None, "a run has an epoch"
        return outcome | {
            "steps": result.step,
            "train_seconds": training,
            "validation_seconds": validation,
            "wall_seconds": time.perf_counter() - wall,
            "val_psnr": psnr,
            "test_psnr": _mean(result.network, self._test),
        }


def _mean(network: SRCNN | None, degraded: Sequence[Degraded]) -> float:
    return statistics.fmean(score(network, image, with_ssim=False).psnr for image in degraded)


class _PlainRace:
    """The plain loop on the way to its goal, in slices between other runs, so that all run under the same conditions."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.curve: list[tuple[float, float]] = []  #: training time in seconds, PSNR in dB
        self.pixels = 0

    @property
    def done(self) -> bool:
        """Whether the goal is reached or the time is over."""
        return bool(self.curve) and (self.curve[-1][1] >= _PLAIN_GOAL or self.curve[-1][0] >= _PLAIN_LIMIT)

    def slice(self) -> None:
        """Train for a short time and measure."""
        if not self.done:
            answer = self._worker.ask(do="run", seconds=_PLAIN_SLICE)
            before = self.curve[-1][0] if self.curve else 0.0
            self.pixels += answer["pixels"]
            self.curve.append((before + answer["seconds"], self._worker.ask(do="psnr")["psnr"]))


def run_quality(bench: Bench) -> None:
    """Measure and print."""
    root = data_root(bench.data_root)
    training, validation = held_out(images("T91", root, "sample/train"))
    test = images("Set5", root, "sample/test")
    data = prepare(training.images, SCALE)
    held, tested = ([degrade(image, SCALE, name=name) for name, image in s.images] for s in (validation, test))
    before = bench.record.get("quality")
    unfinished = isinstance(before, dict) and not before["complete"] and before["training"] == training.name
    result: dict[str, Any] = before if unfinished else {"complete": False, "runs": {}}
    result |= {"training": training.name, "images": [len(training), len(validation)], "test": test.name}
    result |= {"scale": SCALE, "final_pixels": _FINAL}
    if result["runs"]:
        bench.say(f"going on: {len(result['runs'])} runs are in the file")
    with ExitStack() as stack:
        stack.enter_context(pinned(bench.core))
        if bench.on_gpu:  # in a separate process: this one would keep GPU memory while the plain loop runs
            pool = stack.enter_context(one_process(_set_up, data, held, tested, bench.device))
            trainer: Callable[[Job], Outcome] = lambda job: pool.submit(_in_process, job).result()  # noqa: E731
        else:
            trainer = _Trainer(data, held, tested, bench.device)
        result["bicubic"] = {"val_psnr": _mean(None, held), "test_psnr": _mean(None, tested)}
        trainer(Job("9-1-5", 1e5, 1))  # warm-up, so that no run includes one-time costs of torch
        _measure(bench, result, trainer)
    result["complete"] = True
    bench.record.put("quality", result, n=bench.seeds)
    show(bench, result)


_trainer: _Trainer | None = None  # in the process that measures on a GPU


def _set_up(data: TrainingData, validation: list[Degraded], test: list[Degraded], device: str) -> None:
    global _trainer
    torch.set_num_threads(1)
    _trainer = _Trainer(data, validation, test, device)


def _in_process(job: Job) -> Outcome:
    assert _trainer is not None, "_set_up comes first"
    return _trainer(job)


def _measure(bench: Bench, result: dict[str, Any], trainer: Callable[[Job], Outcome]) -> None:
    wanted = not bench.quick and _PLAIN_KERNELS in bench.kernels and "plain" not in result
    place = (bench.device, bench.core, bench.data_root)
    with Worker("plain", _PLAIN_KERNELS, *place, validate=True) if wanted else nullcontext() as worker:
        race = None if worker is None else _PlainRace(worker)

        def make(job: Job) -> Outcome:
            outcome = trainer(job)
            told = outcome.get("failure") or f"{outcome['test_psnr']:.2f} dB, {outcome['train_seconds']:.1f} s"
            bench.say(f"{job.name}: {told}")
            if race is not None:
                race.slice()
            return outcome

        runs = Runs(make, result["runs"], lambda: bench.record.put("quality", result, n=bench.seeds))
        seeds = [_SEED + i for i in range(bench.seeds)]
        result["goals"] = [
            _goals(runs, kernels, *((seeds[:1], _QUICK_BUDGETS) if bench.quick else (seeds[:3], _BUDGETS)))
            for kernels in bench.kernels
            if kernels in _GOALS
        ]
        result["seeds"] = [_spread([runs(Job(k, _FINAL, s)) for s in seeds]) for k in bench.kernels]
        compared = [k for k in ("9-1-5", "9-5-5")[: 1 if bench.quick else 2] if k in bench.kernels]
        result["precision"] = [
            _precision(runs, kernels, seeds, bench.record.environment["bf16"]) for kernels in compared
        ]
        while race is not None and not race.done:
            race.slice()
            bench.say(f"plain loop: {race.curve[-1][1]:.2f} dB after {race.curve[-1][0]:.0f} s")
        if race is not None:
            result["plain"] = {"kernels": _PLAIN_KERNELS, "goal": _PLAIN_GOAL, "pixels": race.pixels}
            result["plain"] |= {"curve": race.curve, "reached": race.curve[-1][1] >= _PLAIN_GOAL}


def _goals(runs: Runs, kernels: str, seeds: Sequence[int], ladder: Sequence[float]) -> dict[str, Any]:
    goals = _GOALS[kernels]
    budgets = [pixels for pixels in ladder if pixels <= _LONGEST[kernels]]
    climbs = [climb(runs, kernels, seed, goals, budgets) for seed in seeds]
    rows = []
    for goal in goals:
        reached = [one[goal] for one in climbs if goal in one]
        row: dict[str, Any] = {"psnr": goal, "tried": len(seeds), "pixels": summary([o["pixels"] for o in reached])}
        for name in ("train_seconds", "validation_seconds", "wall_seconds"):
            row[name] = summary([o[name] for o in reached])
        rows.append(row)
    return {"kernels": kernels, "ladder": budgets, "longest": budgets[-1], "goals": rows}


def _spread(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    alive = [o for o in outcomes if "failure" not in o]
    row: dict[str, Any] = {"kernels": outcomes[0]["kernels"], "pixels": _FINAL, "failed": len(outcomes) - len(alive)}
    for name in ("test_psnr", "val_psnr", "train_seconds", "validation_seconds"):
        values = [o[name] for o in alive]
        row[name] = summary(values)
        if values:
            row[name]["mean"] = statistics.fmean(values)
            row[name]["deviation"] = statistics.stdev(values) if len(values) > 1 else 0.0
    return row


def _precision(runs: Runs, kernels: str, seeds: Sequence[int], bf16: bool) -> dict[str, Any]:
    """Return the differences bf16 minus fp32 at equal steps, per seed."""
    low = "auto" if bf16 else "bf16"  # the same run
    pairs = [[runs(Job(kernels, _FINAL, seed, p)) for p in (low, "fp32")] for seed in seeds]
    row: dict[str, Any] = {"kernels": kernels, "pixels": _FINAL}
    for name in ("test_psnr", "val_psnr"):
        values = [a[name] - b[name] for a, b in pairs if name in a and name in b]
        row[name] = summary(values) | {"mean": statistics.fmean(values) if values else None}
    return row
