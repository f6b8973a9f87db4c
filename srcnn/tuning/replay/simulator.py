"""Searches over recorded curves, on a virtual clock: what a sampler and a scheduler would have cost.

A replay asks the real searcher for configurations and shows the real scheduler every report, in the order and with the
words of Tune's own loop; only the training is read from a table. A worker is busy for as long as the recorded epochs took,
and asks again when its trial ends; the time to ask is not counted. A repetition draws one recorded run of every configuration,
and that is what its trials of it see: the noise that a search meets, whose trials all start from one seed, and the same for
all methods in the same repetition.

What a search has found at a moment is what it would hand over then: of the trials that ran to their end, the one with the best
figure *that the search saw*, lucky or not. What that is worth is judged by runs that it did not see
(`srcnn.tuning.curves.table_truth`), so regret may rise again where luck misleads. This is how tabular benchmarks report an
incumbent (Dong and Yang, "NAS-Bench-201", ICLR 2020: chosen by validation, judged by test).

A repetition ends when it has cost as much as every configuration trained once (or as a hundred full trials, where the table
is smaller), since a search that costs more than the whole grid is none; or when nothing is left to try; or, if asked, once
what it has found is one of the best. Of many workers that limit leaves little: a hundred that stay busy, as those of a sampler do
that repeats configurations, have spent it before the slower networks can end, and such a row says no more than that.
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

_TRIALS = 100  # full trials that count as the cost of a table, however small it is


@dataclass(frozen=True)
class Step:
    """A moment at which a trial ended with the best figure that the search had seen."""

    compute: float  #: core-seconds of all workers so far
    pixels: float  #: target pixels so far
    clock: float  #: seconds since the start
    regret: (
        float  #: dB by which its configuration is worth less than the best of the table, by runs the search did not see
    )
    among_best: bool  #: whether its configuration counts as one of the best


@dataclass
class Trace:
    """One repetition."""

    steps: list[Step] = field(default_factory=list)  #: the figure that the search saw rises from one to the next
    compute: float = 0.0  #: core-seconds in all
    trials: int = 0
    finished: int = 0  #: trials that ran to their end
    nearest: int = 0  #: suggestions that the table does not hold, and that its nearest configuration stood for

    def reached(self) -> Step | None:
        """The first moment at which what the search would hand over is one of the best; None: never."""
        return next((step for step in self.steps if step.among_best), None)

    def regret(self, compute: float, worst: float) -> float:
        """Regret in dB after some core-seconds; ``worst`` before anything alive has run to its end."""
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
    """What schedulers read of Tune's `Trial`, and the run that stands for it."""

    trial_id: str
    config: dict[str, Any]
    row: int
    run: int  #: which of the recorded ones of its configuration
    curve: Curve
    started: float  #: of the epoch in progress, on the clock
    epoch: int = 0  #: reported so far
    last_result: dict[str, Any] = field(default_factory=dict)
    status: str = "RUNNING"


def table_cost(table: CurveTable) -> float:
    """Core-seconds that every configuration trained once costs: what a repetition may cost at most.

    A hundred full trials where the table is smaller: a few recorded ones stand for many suggestions then.
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
    """One search over a table.

    Args:
        table: recorded curves.
        method: what suggests and stops.
        workers: trials at a time.
        seed: of the sampler and of the choice among recorded runs.
        truth: what the configurations are worth; None: worked out here.
        until_best: whether to end as soon as what was found is one of the best.
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
    """Equal to itself at a glance: Optuna compares choice by choice, which is most of the time of a long replay."""

    def __eq__(self, other: object) -> bool:
        return other is self or super().__eq__(other)

    __hash__ = CategoricalDistribution.__hash__


def _quick(distribution: BaseDistribution) -> BaseDistribution:
    return _Choices(distribution.choices) if isinstance(distribution, CategoricalDistribution) else distribution


class _Replay:
    """A replay in progress: Tune's loop, with a heap of the ends of epochs in place of processes."""

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
        self._seen = -math.inf  # the best figure of a trial that ran to its end, as the search saw it
        self._ends: list[tuple[float, int, _Trial]] = []  # of the epochs in progress, the earliest first
        self._order = itertools.count()  # of two that end together, the one that was started first comes first
        self._done = 0.0  # core-seconds of epochs that ended
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
        """What the median rule asks of Tune's controller; a trial here is given out when it can run, so none is pending."""
        return [trial for _, _, trial in self._ends]

    def _start(self, clock: float) -> bool:
        """Give a worker a trial; False if there is nothing left to try."""
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
        """The end of an epoch, in the order of Tune's `_process_trial_result` and `stop_trial`; whether the trial ended."""
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
        """A trial that ended: whether its figure is the best yet of those that ran to their end."""
        if trial.epoch < self._table.epochs or trial.curve.failed:
            return
        self._trace.finished += 1
        seen = max(trial.curve.objective)
        if seen > self._seen:
            self._seen = seen
            regret = self._truth.regret[trial.row][trial.run]
            among = bool(self._truth.among_best[trial.row])
            self._trace.steps.append(Step(self._trace.compute, self._pixels, clock, regret, among))
