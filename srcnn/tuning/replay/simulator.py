"""Simulation of searches on recorded curves with a virtual clock: the cost of a sampler and a scheduler.

A replay uses the real searcher and the real scheduler and passes them the same calls in the same order as Tune's loop.
Only the training is replaced by a table. A worker is busy for the duration of the recorded epochs and requests a new
trial when its trial ends; the time of the sampler is not included. Each repetition selects one recorded run of every
configuration at random, and all trials of this configuration in the repetition use it. This is the noise of a real
search, whose trials all have the same seed, and it is the same for all methods in one repetition.

The result of a search at a given time is the incumbent: the finished trial with the best value *that the search saw*,
which may be high by chance. Its quality is judged by runs that the search did not see
(`srcnn.tuning.curves.table_truth`), so regret may increase again. Tabular benchmarks report incumbents in this way
(Dong and Yang, "NAS-Bench-201", ICLR 2020: chosen by validation, judged by test).

A repetition ends when its cost equals that of training every configuration once (or of a hundred full trials for a smaller
table), because a more expensive search is useless; or if there is nothing left to try; or, on request, when its incumbent is
among the best. With many workers this limit allows little: a hundred busy workers, for example with a sampler that repeats
configurations, may reach it before the slower networks finish. Results with so many workers have no further meaning.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from srcnn.tuning.algorithms.early_stopping import GRACE, REDUCTION, PerScale
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.curves.nearest import Nearest
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.trials.objective import FAILED, METRIC
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["Step", "Trace", "replay", "table_cost"]

_TRIALS = 100  # minimum cost limit, in full trials


@dataclass(frozen=True)
class Step:
    """A new incumbent: the end of a trial with the best value that the search has seen."""

    compute: float  #: compute of all workers since the start, in core-seconds
    pixels: float  #: target pixels since the start
    clock: float  #: time since the start, in seconds
    regret: float  #: quality of the best configuration minus that of the incumbent, in dB, by runs that the search did not see
    among_best: bool  #: whether the incumbent is among the best


@dataclass
class Trace:
    """One repetition of a replay."""

    steps: list[Step] = field(default_factory=list)  #: incumbents in the order of time; their observed value increases
    compute: float = 0.0  #: total compute, in core-seconds
    trials: int = 0
    finished: int = 0  #: number of finished trials
    nearest: int = 0  #: number of suggestions missing in the table and replaced by the nearest configuration

    def reached(self) -> Step | None:
        """Return the first incumbent that is among the best; None if there is none."""
        return next((step for step in self.steps if step.among_best), None)

    def regret(self, compute: float, worst: float) -> float:
        """Return the regret after an amount of compute in core-seconds, in dB; ``worst`` before any trial has finished."""
        value = worst
        for step in self.steps:
            if step.compute > compute:
                break
            value = min(step.regret, worst)
        return value


class _Scheduler(Protocol):
    def on_trial_add(self, tune_controller: Any, trial: Any) -> None: ...

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str: ...

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None: ...


@dataclass(eq=False)
class _Trial:
    """The attributes of Tune's `Trial` that schedulers read, and the recorded run."""

    trial_id: str
    config: dict[str, Any]
    row: int
    run: int  #: index of the recorded run of its configuration
    curve: Curve
    started: float  #: start of the current epoch on the virtual clock, in seconds
    epoch: int = 0  #: number of reported epochs
    last_result: dict[str, Any] = field(default_factory=dict)
    status: str = "RUNNING"


def table_cost(table: CurveTable) -> float:
    """Return the maximum cost of a repetition: training every configuration once, in core-seconds.

    For a smaller table it is the cost of a hundred full trials, because a few recorded configurations then represent many
    suggestions.
    """
    full = [float(np.mean([sum(curve.seconds) for curve in curves])) for curves in table.curves]
    return max(len(full), _TRIALS) * float(np.mean(full))


def replay(
    table: CurveTable,
    method: Method,
    workers: int,
    seed: int,
    *,
    truth: TableTruth | None = None,
    until_best: bool = False,
) -> Trace:
    """Run one search on a table.

    Args:
        table: recorded curves.
        method: sampler and scheduler.
        workers: number of concurrent trials.
        seed: random seed of the sampler and of the selection of recorded runs.
        truth: estimated quality of the configurations; None: computed here.
        until_best: end as soon as the incumbent is among the best.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searcher, scheduler, params_of = _make(table, method, seed)
    truth = TableTruth.of(table) if truth is None else truth
    return _Replay(table, truth, searcher, scheduler, params_of, seed).run(workers, until_best)


def _make(
    table: CurveTable, method: Method, seed: int
) -> tuple[Searcher, _Scheduler, Callable[[dict[str, Any]], Mapping[str, Value]]]:
    if method.sampler == "stock":
        space = {name: _quick(parameter.distribution) for name, parameter in table.space.parameters.items()}
        same = {"grace_period": min(GRACE, table.epochs), "reduction_factor": REDUCTION}
        rungs = same if method.scheduler == "asha-same-rungs" else {}
        scheduler = ASHAScheduler(time_attr="epoch", metric=METRIC, mode="max", max_t=table.epochs, **rungs)
        return OptunaSearch(space, metric=METRIC, mode="max", seed=seed), scheduler, lambda config: config
    own = StudySearcher(table.space, seed, {}, sampler=method.sampler)
    return (
        own,
        PerScale(method.scheduler, table.space.scales, table.epochs),
        lambda config: TrialSpec.from_tune(config).params,
    )


class _Choices(CategoricalDistribution):
    """A distribution with a fast comparison to itself.

    Optuna compares choice by choice, which takes most of the time of a long replay.
    """

    def __eq__(self, other: object) -> bool:
        return other is self or super().__eq__(other)

    __hash__ = CategoricalDistribution.__hash__


def _quick(distribution: BaseDistribution) -> BaseDistribution:
    return _Choices(distribution.choices) if isinstance(distribution, CategoricalDistribution) else distribution


class _Replay:
    """A replay in progress: Tune's loop, with a heap of the ends of epochs instead of processes."""

    def __init__(
        self,
        table: CurveTable,
        truth: TableTruth,
        searcher: Searcher,
        scheduler: _Scheduler,
        params_of: Callable[[dict[str, Any]], Mapping[str, Value]],
        seed: int,
    ) -> None:
        self._table, self._searcher, self._scheduler, self._params_of = table, searcher, scheduler, params_of
        source = random.Random(seed)
        self._runs = [source.randrange(len(curves)) for curves in table.curves]
        self._nearest = Nearest.of(table)
        self._truth = truth
        self._seen = -math.inf  # best observed value of a finished trial
        self._ends: list[tuple[float, int, _Trial]] = []  # ends of the current epochs, the earliest first
        self._order = itertools.count()  # if two epochs end at the same time, the one started first comes first
        self._done = 0.0  # core-seconds of finished epochs
        self._pixels = 0.0
        self._trace = Trace()

    def run(self, workers: int, until_best: bool) -> Trace:
        clock, trace, most = 0.0, self._trace, table_cost(self._table)
        free, more = workers, True
        while True:
            while free and more:
                more = self._start(clock)
                free -= more
            if not self._ends:
                return trace
            clock, _, trial = heapq.heappop(self._ends)
            ended = self._report(trial, clock)
            trace.compute = self._done + sum(clock - other.started for _, _, other in self._ends)
            if ended:
                free += 1
                self._note(trial, clock)
            if (until_best and trace.steps and trace.steps[-1].among_best) or trace.compute > most:
                return trace

    def get_live_trials(self) -> list[_Trial]:
        """Return the running trials, as Tune's controller does for the median rule. No trial is pending here."""
        return [trial for _, _, trial in self._ends]

    def _start(self, clock: float) -> bool:
        """Start a trial on a free worker. Return False if there is nothing left to try."""
        name = str(self._trace.trials)
        config = self._searcher.suggest(name)
        if not isinstance(config, dict):
            return False
        row, exact = self._nearest.row(self._params_of(config))
        self._trace.trials += 1
        self._trace.nearest += not exact
        run = self._runs[row]
        trial = _Trial(name, config, row, run, self._table.curves[row][run], clock)
        self._scheduler.on_trial_add(self, trial)
        self._run_epoch(trial, clock)
        return True

    def _run_epoch(self, trial: _Trial, clock: float) -> None:
        trial.started = clock
        heapq.heappush(self._ends, (clock + trial.curve.seconds[trial.epoch], next(self._order), trial))

    def _report(self, trial: _Trial, clock: float) -> bool:
        """Process the end of an epoch. Return whether the trial ended.

        The order of calls is that of Tune's `_process_trial_result` and `stop_trial`.
        """
        curve, epochs = trial.curve, self._table.epochs
        self._done += curve.seconds[trial.epoch]
        self._pixels += curve.pixels[trial.epoch] - (curve.pixels[trial.epoch - 1] if trial.epoch else 0.0)
        trial.epoch += 1
        epoch, seen = trial.epoch, curve.objective[: trial.epoch]
        figures = EpochFigures(
            seen[-1],
            best_objective=max(seen),
            pixels=curve.pixels[epoch - 1],
            epoch_seconds=curve.seconds[epoch - 1],
        )
        report = TrialReport(epoch, epochs, tuple(seen), figures if seen[-1] > FAILED else None)
        result = {**report.to_json(), "training_iteration": epoch}
        decision = self._scheduler.on_trial_result(self, trial, result)
        stops = decision == TrialScheduler.STOP
        if not stops:
            self._searcher.on_trial_result(trial.trial_id, result)
        trial.last_result = result
        if not stops and epoch < len(curve.objective):
            self._run_epoch(trial, clock)
            return False
        trial.status = "TERMINATED"
        self._scheduler.on_trial_complete(self, trial, result)
        self._searcher.on_trial_complete(trial.trial_id, result=result)
        return True

    def _note(self, trial: _Trial, clock: float) -> None:
        """Record a finished trial as the new incumbent if its observed value is the best so far."""
        if trial.epoch < self._table.epochs or trial.curve.failed:
            return
        self._trace.finished += 1
        seen = max(trial.curve.objective)
        if seen > self._seen:
            self._seen = seen
            regret = self._truth.regret[trial.row][trial.run]
            among = bool(self._truth.among_best[trial.row])
            self._trace.steps.append(Step(self._trace.compute, self._pixels, clock, regret, among))
