"""Section ``searches``: real searches with the same core-seconds by this project's search and by random search.

A search runs the default space at one scale, without a confirmation. Its core-seconds are the processor time of all
epochs: training, validation and saving of trials with one thread each. Other programs on the machine hardly change them. For
every set, scale and seed:

1. ``ours`` runs `TRIALS` trials. Its core-seconds are the budget of the others, which run next in random order.
2. The others may begin up to `LIMIT` trials. When their trials have used the budget, those that are running go on to their own
   end, and then the search is interrupted. Trials that began after that moment do not count.
3. The winner is the trial with the highest gain on validation images of those that finished before the budget was used. The one
   with overtime is the best of all that count: a search that is planned for the budget would leave no trial half done, but this
   one has used more than the budget. A fair lead lies between the two.
4. The winner and the paper's network (the reference in the first trials) are trained again with fresh seeds and the same budget
   of pixels on all training images, and measured on the test set. The lead is the difference of their gains. If the winner is
   the reference, its lead is zero.

No search reads a test set before its winner is known: `srcnn.tuning.whole_search.run` measures the test sets last.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.data.datasets import load
from srcnn.data.known_sets import data_root, locate
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import score
from srcnn.overlap.leaks import divide
from srcnn.training.fit import fit
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import TrainingData
from srcnn.tuning.trials.outcome import Outcome

from _bench.machine import ROOT
from _bench.record import Bench
from _bench.searches_table import figures, show

if TYPE_CHECKING:
    from srcnn.tuning.driver.events import Event
    from srcnn.tuning.trials.report import TrialReport
    from srcnn.tuning.trials.result import TrialResult

__all__ = ["METHODS", "TRIALS", "Watch", "gain_of", "outcome", "run_searches"]

METHODS: Mapping[str, Mapping[str, str]] = {
    "ours": {"sampler": "curves", "scheduler": "asha"},
    "random+asha": {"sampler": "random", "scheduler": "asha"},
}
TRIALS = 17  #: trials of ours; the first one is the reference
LIMIT = 60  #: maximum number of trials of the others
_SETS = (("sample/train", "sample/test"), ("T91", "Set5"))
_SCALES = (3, 2)
_FIRST_SEED = 33  # the scheduler was chosen by searches with seeds 21 to 25, the sampler by some with 31 and 32
_FRESH = (1001, 1002, 1003)  # seeds of the trainings that are measured
_WANTED = 10  # seeds for each set and scale of a complete comparison
_SLOTS = 2
_MEASURED = ("config", "overtime", "reference")  # configurations of a search that are measured
_QUICK_TRIALS, _QUICK_BUDGET = 4, 6e4


@dataclass(frozen=True)
class _Job:
    """One search, identified by its name in the file."""

    train: str
    test: str
    scale: int
    seed: int
    method: str

    @property
    def group(self) -> str:
        """Searches in which every method had the same images, scale and seed."""
        return f"{self.train} x{self.scale} seed {self.seed}"

    @property
    def name(self) -> str:
        return f"{self.group} {self.method}"


class Watch:
    """Listener that adds up the core-seconds of a search, and ends it when the trials that began within a budget have ended.

    Args:
        budget: core-seconds; None: the search ends by itself.
    """

    def __init__(self, budget: float | None) -> None:
        self.budget = budget
        self.core_seconds = 0.0  #: sum over the trials that count
        self.work = 0.0  #: multiply-accumulate operations of the trials that count, forward, over all target pixels
        self.begun: list[str] = []  #: ids of the trials that count, in the order of their start
        self.in_time: list[str] = []  #: ids of the trials that finished before the budget was used
        self.ending = False  #: whether this listener has ended the search
        self._over: set[str] = set()
        self._late: set[str] = set()
        self._epochs: dict[str, int] = {}
        self._pixels: dict[str, float] = {}

    @property
    def spent(self) -> bool:
        """Whether the budget is used, so that new trials do not count."""
        return self.budget is not None and self.core_seconds >= self.budget

    def __call__(self, event: Event) -> None:
        trial = event.trial_id
        if event.kind == "start" and trial not in self.begun and trial not in self._late:
            if self.spent:
                self._late.add(trial)
            else:
                self.begun.append(trial)
        elif event.kind == "report" and trial not in self._late and event.report is not None:
            self._report(trial, event.report)
        elif event.kind == "end":
            self._over.add(trial)
        if self.spent and not self.ending and self._over.issuperset(self.begun):
            self.ending = True
            signal.raise_signal(signal.SIGTERM)  # as a person ends a search; `run_search` saves its state

    def _report(self, trial: str, report: TrialReport) -> None:
        if report.last or report.failed:
            self._over.add(trial)
        figures = report.figures
        if figures is None or report.epoch <= self._epochs.get(
            trial, 0
        ):  # a trial that goes on repeats its last report
            return
        if report.last and not self.spent:
            self.in_time.append(trial)
        self.core_seconds += figures.cost_seconds
        self.work += (figures.pixels - self._pixels.get(trial, 0.0)) * (report.macs or 0.0)
        self._epochs[trial], self._pixels[trial] = report.epoch, figures.pixels


def run_searches(bench: Bench) -> None:
    """Measure and print. Searches that are in the file do not run again."""
    from srcnn.tuning.driver.cluster import Cluster, be_quiet

    root = data_root(bench.data_root)
    budget = _QUICK_BUDGET if bench.quick else bench.budget
    before = bench.record.get("searches")
    about = {"budget": budget, "trials": _QUICK_TRIALS if bench.quick else TRIALS, "limit": LIMIT, "slots": _SLOTS}
    same = isinstance(before, dict) and all(before.get(name) == value for name, value in about.items())
    result: dict[str, Any] = before if same else {**about, "searches": {}, "measured": {}}
    result |= {"fresh_seeds": list(_FRESH), "methods": {name: dict(fields) for name, fields in METHODS.items()}}
    sets = [pair for pair in _SETS if pair[0] == "sample/train" or all(locate(name, root).is_dir() for name in pair)]
    if bench.quick:
        sets = sets[:1]
    seeds = [_FIRST_SEED + i for i in range(1 if bench.quick else bench.seeds)]
    with tempfile.TemporaryDirectory(prefix="srcnn-bench-") as folder, Cluster(None) as cluster:
        be_quiet()
        cluster.wait()
        with ProcessPoolExecutor(_SLOTS, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            for seed in seeds:
                for train, test in sets:
                    for scale in _SCALES[: 1 if bench.quick else None]:
                        _compare(bench, result, pool, Path(folder), _Job(train, test, scale, seed, "ours"))
    _keep(bench, result)
    show(bench, result)


def _compare(bench: Bench, result: dict[str, Any], pool: ProcessPoolExecutor, folder: Path, ours: _Job) -> None:
    """Run all methods for one set, scale and seed, and measure their winners."""
    others = [name for name in METHODS if name != "ours"]
    random.Random(ours.group).shuffle(others)
    searches, limit = result["searches"], None
    for method in ("ours", *others):
        job = _Job(ours.train, ours.test, ours.scale, ours.seed, method)
        if job.name not in searches:
            searches[job.name] = found = _search(bench, folder, job, result, limit)
            _keep(bench, result)
            bench.say(
                f"{job.name}: {found['winner']}, {len(found['trials'])} trials, {found['core_seconds']:.0f} core-s, "
                f"{found['wall_seconds']:.0f} s"
            )
        limit = searches[f"{ours.group} ours"]["core_seconds"]
    chosen = [searches[f"{ours.group} {method}"] for method in METHODS]
    wanted = {key: one[kind] for one in chosen for kind in _MEASURED if (key := _key(ours, one[kind]))}
    jobs = {
        (key, seed): pool.submit(gain_of, ours.train, ours.test, bench.data_root, {**config, "seed": seed})
        for key, config in wanted.items()
        if key not in result["measured"]
        for seed in _FRESH
    }
    for key in dict.fromkeys(key for key, _ in jobs):
        result["measured"][key] = [jobs[key, seed].result() for seed in _FRESH]
    for one in chosen:
        won, late, paper = (statistics.fmean(result["measured"][_key(ours, one[kind])]) for kind in _MEASURED)
        one |= {"lead": won - paper, "overtime_lead": late - paper}
    _keep(bench, result)
    leads = ", ".join(f"{method} {one['lead']:+.3f}" for method, one in zip(METHODS, chosen, strict=True))
    bench.say(f"{ours.group}: lead in dB: {leads}")


def _key(job: _Job, config: Mapping[str, Any]) -> str:
    """Return the name of a configuration under which its measurement is kept."""
    about = TrainConfig(**config)
    return f"{job.train} x{job.scale} {about.name} lr {about.learning_rate!r}"


def _search(bench: Bench, folder: Path, job: _Job, result: Mapping[str, Any], limit: float | None) -> dict[str, Any]:
    """Run one search.

    Raises:
        KeyboardInterrupt: a signal from outside ended it.
    """
    from srcnn.tuning.planning.settings import SearchSettings
    from srcnn.tuning.whole_search.run import plan_search, run_search

    settings = SearchSettings(
        name="".join(letter if letter.isalnum() else "-" for letter in job.name),
        trials=result["trials"] if limit is None else result["limit"],
        space=str(ROOT / "search_spaces" / "default.yaml"),
        train=job.train,
        test=(job.test,),
        scales=(job.scale,),
        budget=result["budget"],
        confirm=False,
        max_concurrent=min(_SLOTS, os.cpu_count() or 1),
        gpus_per_trial=0,
        seed=job.seed,
        data_root=bench.data_root,
        storage=str(folder / "ray"),
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        **METHODS[job.method],
    )
    watch = Watch(limit)
    found = run_search(plan_search(settings), listener=watch)
    if found.interrupted and not watch.ending:
        raise KeyboardInterrupt
    return {
        "method": job.method,
        "data": job.train,
        "test": job.test,
        "scale": job.scale,
        "seed": job.seed,
        "core_seconds": watch.core_seconds,
        "budget_core_seconds": limit,
        "giga_macs": watch.work / 1e9,
        "wall_seconds": found.seconds,
        **outcome(found.rows, watch.begun, watch.in_time),
    }


def outcome(rows: Iterable[TrialResult], begun: Sequence[str], in_time: Sequence[str]) -> dict[str, Any]:
    """Return the winners and the trials of a search, in the order of their start.

    Args:
        rows: all trials.
        begun: ids of those that count.
        in_time: ids of those that finished before the budget was used; there is at least one.
    """
    by_id = {row.trial_id: row for row in rows}
    counted = [by_id[trial] for trial in begun if trial in by_id]
    finished = [row for row in counted if row.outcome is Outcome.FINISHED]
    winner, late = (max(those, key=lambda row: row.val_gain) for those in ([by_id[i] for i in in_time], finished))
    reference = next(row for row in counted if row.reference)
    return {
        "winner": winner.spec.configuration,
        "winner_is_reference": winner.reference,
        "winner_val_gain": winner.val_gain,
        "overtime_winner": late.spec.configuration,
        "overtime_val_gain": late.val_gain,
        "reference_val_gain": reference.val_gain,
        "config": winner.config.model_dump(mode="json"),
        "overtime": late.config.model_dump(mode="json"),
        "reference": reference.config.model_dump(mode="json"),
        "finished": len(finished),
        "finished_in_time": len(in_time),
        "sampled": [row.config.name for row in counted if not row.reference],
        "trials": [_line(row) for row in counted],
    }


def _line(row: TrialResult) -> str:
    epochs = 0 if row.report is None else row.report.epoch
    return f"{row.spec.configuration}: {row.outcome}, {epochs} epochs, {row.val_gain:.3f} dB"


def gain_of(train: str, test: str, root: str | None, config: Mapping[str, Any]) -> float:
    """Train a configuration, and return its gain over bicubic on a test set in dB: the mean over the images."""
    full = TrainConfig(**config)
    data, images, bicubic = _images(train, test, root, full.scale)
    network = None
    for result in fit(full, data, device=torch.device("cpu")):
        network = result.network
    return statistics.fmean(score(network, image, with_ssim=False).psnr for image in images) - bicubic


@functools.lru_cache(maxsize=4)
def _images(train: str, test: str, root: str | None, scale: int) -> tuple[TrainingData, list[Degraded], float]:
    """Return all training images but those that show a test image; the test images; and their mean PSNR by bicubic."""
    where = data_root(root)
    tests = load(test, where)
    images = [degrade(image, scale, name=name) for name, image in tests.images]
    training = divide(load(train, where), 0, 0, [tests]).training
    bicubic = statistics.fmean(score(None, image, with_ssim=False).psnr for image in images)
    return prepare_cached(training, scale), images, bicubic


def _keep(bench: Bench, result: dict[str, Any]) -> None:
    result["figures"] = figures(result["searches"])
    seeds = sorted({one["seed"] for one in result["searches"].values()})
    counts = Counter(f"{one['data']} x{one['scale']}" for one in result["searches"].values() if "lead" in one)
    result["seeds"] = {place: count // len(METHODS) for place, count in counts.items()}
    fewest = min(result["seeds"].values(), default=0)
    places = len(_SETS) * len(_SCALES)
    result["complete"] = len(result["seeds"]) == places and fewest >= _WANTED
    result["note"] = (
        "seeds for each set and scale: "
        + (", ".join(f"{place}: {count}" for place, count in result["seeds"].items()) or "none")
        + ("" if result["complete"] else f"; the {_WANTED} seeds of a complete comparison were not reached")
    )
    bench.record.put("searches", result, n=result["note"], seed=seeds)
