"""Section ``decision-cost``: time of the driver for one decision of a search, after 100, 500 and 2,000 known trials.

The searcher is that of a search with pauses (`srcnn.tuning.algorithms.study_searcher.StudySearcher`), with eight workers, on the
default space and on ``search_spaces/deep.yaml``, both with three scales. Curves come from a formula. They reach the searcher by
the calls of Ray Tune and of the scheduler: ``suggest``, ``continues``, ``on_trial_result``, ``on_trial_complete``.

Until the first of those sizes, and between two of them, a random choice replaces the allocator's, because thousands of fits
would take long. Then decisions are timed with nothing replaced:

- free worker: ``suggest``, which begins a configuration or continues a waiting trial
- report: ``continues``, which decides whether the trial goes on
- record: ``on_trial_result``, which tells Optuna the curve

The first decision of each kind and size is left out of the medians and reported apart, because the model learns
its hyperparameters there.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import numpy as np
import optuna

from srcnn.errors import ConfigError
from srcnn.model.network import count_macs
from srcnn.tuning.algorithms.allocator import Allocator, Option
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

from _bench.machine import ROOT, on_one_thread
from _bench.record import Bench, summary

__all__ = ["Feed", "measure", "run_decision_cost"]

_SIZES = (100, 500, 2000)
_SPACES = ("default.yaml", "deep.yaml")
_WORKERS = 8
_DECISIONS = 40  # timed decisions of each kind
_CONTINUE, _RESUME, _FAIL = 0.7, 0.15, 0.01  # probabilities of the random choice, and of a failure in an epoch
_PATIENCE = (
    40  # epochs after which a kind of decision that the search does not need is given up, for each timed decision
)
_KINDS = ("free_worker", "report", "record")


class Feed:
    """A search whose trials follow a formula, in place of Ray Tune and the workers.

    Args:
        space: search space.
        seed: seed of the searcher, of the random choice, and of the curves.
    """

    def __init__(self, space: Space, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.searcher = StudySearcher(space, seed, {}, sampler="curves", pauses=True, epochs=EPOCHS)
        assert self.searcher.pauses is not None, "trials pause"
        self.pauses = self.searcher.pauses
        self.pauses.use_limits(10**6, lambda: _WORKERS)
        self.begun = 0  #: number of trials so far
        self.times: dict[str, list[float]] = {kind: [] for kind in _KINDS}  #: seconds of each call, by kind
        self._space, self._source = space, random.Random(seed + 1)  # other draws than the searcher's
        self._noise = np.random.default_rng(seed)
        self._curves: dict[str, tuple[float, ...]] = {}  # whole curves
        self._seconds: dict[str, float] = {}  # of an epoch
        self._epoch: dict[str, int] = {}
        self._running: list[str] = []
        self._scale: dict[str, int] = {}
        self._waiting: dict[int, list[str]] = {}  # by scale

    def _choose(
        self, scale: int, begin: bool, held: Mapping[str, Value] | None = None, current: str = ""
    ) -> Option | None:
        """Stand for `Allocator.choose`."""
        if current and self._source.random() < _CONTINUE:
            return Option(current, {}, "random")
        waiting = self._waiting.get(scale, [])
        if waiting and not current and self._source.random() < _RESUME:
            return Option(self._source.choice(waiting), {}, "random")
        return Option(None, self._allowed(scale), "random") if begin else None

    def _allowed(self, scale: int) -> dict[str, Value]:
        """Draw until a configuration is valid and satisfies the constraints."""
        while True:
            params = self._space.draw(self._source, {"scale": scale} if "scale" in self._space.parameters else {})
            try:
                if not self._space.constraints.broken_by(self._space.to_config(params)):
                    return params
            except ConfigError:
                continue

    def step(self) -> None:
        """Occupy the free workers, and let the trial that has run longest report its next epoch."""
        while len(self._running) < _WORKERS:
            name = str(self.begun)
            started = time.perf_counter()
            found = self.searcher.suggest(name)
            taken = time.perf_counter() - started
            if isinstance(found, dict):
                self._begin(name, found)
            elif (resumed := self.pauses.take_continued()) is not None:
                self._waiting[self._scale[resumed]].remove(resumed)
                self._running.append(resumed)
            else:
                break
            self.times["free_worker"].append(taken)
        self._report(self._running.pop(0))

    def _begin(self, name: str, found: dict[str, Any]) -> None:
        config = TrialSpec.from_tune(found).config
        macs = count_macs(config)
        worth = 0.1 * math.log10(macs) - 0.3 * abs(math.log10(config.learning_rate) + 3.4)
        start = 0.3 + 0.2 * len(config.kernels) * self._noise.random()
        epochs = np.arange(1, EPOCHS + 1)
        curve = worth - start * (epochs**-1.0 - 1.0 / EPOCHS) + 0.01 * self._noise.standard_normal(EPOCHS)
        self._curves[name], self._seconds[name] = tuple(curve.tolist()), 1e-3 * macs**0.7
        self._epoch[name], self._scale[name] = 0, config.scale
        self.begun += 1
        self._running.append(name)

    def _report(self, name: str) -> None:
        searcher = self.searcher
        self._epoch[name] += 1
        epoch, curve = self._epoch[name], self._curves[name]
        if self._source.random() < _FAIL:
            failed = TrialReport(epoch, EPOCHS, curve[: epoch - 1], None, "DivergedError: loss", "DivergedError")
            searcher.on_trial_complete(name, {**failed.to_json()})
            return
        seen = curve[:epoch]
        report = TrialReport(epoch, EPOCHS, seen, EpochFigures(seen[-1], max(seen), epoch_seconds=self._seconds[name]))
        result = report.to_json()
        started = time.perf_counter()
        goes_on = searcher.continues(name, report)
        decided = time.perf_counter()
        searcher.on_trial_result(name, result)
        self.times["record"].append(time.perf_counter() - decided)
        if report.last:  # nothing to decide
            searcher.on_trial_complete(name, result)
            return
        self.times["report"].append(decided - started)
        if goes_on:
            self._running.append(name)
        else:
            self._waiting.setdefault(self._scale[name], []).append(name)

    def until(self, trials: int) -> None:
        """Go on with random decisions until so many trials have begun."""
        with mock.patch.object(
            Allocator, "choose", lambda _, *arguments, **options: self._choose(*arguments, **options)
        ):
            while self.begun < trials:
                self.step()

    def decide(self, decisions: int) -> dict[str, list[float]]:
        """Go on with real decisions, at least so many of each kind; return the seconds of each, by kind."""
        self.times = {kind: [] for kind in _KINDS}
        for _ in range(_PATIENCE * decisions):
            if min(map(len, self.times.values())) >= decisions:
                break
            self.step()
        return self.times


def measure(space: Space, sizes: Sequence[int], decisions: int) -> list[dict[str, Any]]:
    """Return the time of decisions after each number of trials: the first one, and the others' n, median, min and max.

    Args:
        space: search space.
        sizes: numbers of known trials, ascending.
        decisions: number of timed decisions of each kind, at least 2.
    """
    feed, found = Feed(space, seed=0), []
    for size in sizes:
        feed.until(size)
        times = feed.decide(decisions)
        row: dict[str, Any] = {"trials": size}
        for kind, taken in times.items():
            row[kind] = {"first": taken[0], **summary(taken[1:])}
        found.append(row)
    return found


def _growth(rows: Sequence[Mapping[str, Any]], kind: str) -> float:
    """Return the exponent of the growth with the number of trials between the last two sizes; 1 is linear."""
    before, after = rows[-2], rows[-1]
    return math.log(after[kind]["median"] / before[kind]["median"]) / math.log(after["trials"] / before["trials"])


def run_decision_cost(bench: Bench) -> None:
    """Measure and print."""
    sizes, decisions = ((20, 40), 3) if bench.quick else (_SIZES, _DECISIONS)
    result: dict[str, Any] = {"workers": _WORKERS, "spaces": {}}
    shown = []
    for name in _SPACES:
        rows = on_one_thread(bench.core, measure, load_space(ROOT / "search_spaces" / name), sizes, decisions)
        growth = {kind: round(_growth(rows, kind), 2) for kind in _KINDS}
        result["spaces"][name] = {"after": rows, "growth": growth}
        bench.record.put("decision-cost", result, n=f"{decisions} decisions of each kind", seed=0)
        bench.say(f"{name} done")
        for kind in _KINDS:
            medians = [f"{1e3 * row[kind]['median']:.1f}" for row in rows]
            first = f"{1e3 * rows[-1][kind]['first']:.1f}"
            shown.append([f"{name}: {kind.replace('_', ' ')}", *medians, first, f"{growth[kind]:.2f}"])
    heads = ["decision, ms", *map(str, sizes), "first of the last", "growth"]
    notes = [
        f"medians of {decisions} decisions, {_WORKERS} workers, one thread; columns: number of known trials",
        f"growth: exponent of the time with the number of trials, from {sizes[-2]} to {sizes[-1]}; 1 is linear",
    ]
    bench.table("decision-cost", heads, shown, notes)
