"""Simulation of searches on recorded curves with a virtual clock: the cost of a sampler and a scheduler.

A replay uses the real searcher and the real scheduler and passes them the same calls in the same order as Tune's loop.
Only the training is replaced by a table. A worker is busy for the duration of the recorded epochs. When its trial ends or
pauses, the searcher is asked for a new trial, and then the scheduler chooses between the new one and the paused ones; a paused
trial continues with its next epoch, on any worker, after an optional constant time. The time of the sampler is not included.
Each repetition selects one recorded run of every
configuration at random, and all trials of this configuration in the repetition use it. This is the noise of a real
search, whose trials all have the same seed, and it is the same for all methods in one repetition.

The result of a search at a given time is the incumbent: the finished trial with the best value *that the search saw*,
which may be high by chance. Its quality is judged by runs that the search did not see
(`srcnn.tuning.curves.table_truth`), so regret may increase again. Tabular benchmarks report incumbents in this way
(Dong and Yang, "NAS-Bench-201", ICLR 2020: chosen by validation, judged by test).

A repetition ends when its cost equals that of training every configuration once (or of a hundred full trials for a smaller
table), because a more expensive search is useless; or if nothing is left to try; or, on request, when an incumbent has been
among the best. With many workers this limit allows little: a hundred busy workers, for example with a sampler that repeats
configurations, may reach it before the slower networks finish. Results with so many workers have no further meaning.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.curves.nearest import Nearest
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import Method
from srcnn.tuning.replay.pair import Pair, make_pair
from srcnn.tuning.replay.trace import Step, Trace
from srcnn.tuning.trials.objective import FAILED
from srcnn.tuning.trials.report import EpochFigures, TrialReport

__all__ = ["replay", "table_cost"]

_TRIALS = 100  # minimum cost limit, in full trials


@dataclass(eq=False)
class _Trial:
    """The attributes of Tune's `Trial` that schedulers read, and the recorded run."""

    trial_id: str
    config: dict[str, Any]
    row: int
    run: int  #: index of the recorded run of its configuration
    curve: Curve
    epoch: int = 0  #: number of reported epochs
    last_result: dict[str, Any] = field(default_factory=dict)
    status: str = Trial.PENDING
    started: float = 0.0  #: start of the current epoch on the virtual clock, in seconds
    takes: float = 0.0  #: duration of the current epoch with the time to resume, in seconds
    place: int = -1  #: number of the current epoch among all that were started; an older one was given up


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
    at_least: float = 0.0,
    switch_seconds: float = 0.0,
) -> Trace:
    """Run one search on a table.

    Args:
        table: recorded curves.
        method: sampler and scheduler.
        workers: number of concurrent trials.
        seed: random seed of the sampler and of the selection of recorded runs.
        truth: estimated quality of the configurations; None: computed here.
        until_best: end as soon as an incumbent has been among the best and the compute is ``at_least``.
        at_least: compute before which a replay does not end with ``until_best``, in core-seconds.
        switch_seconds: time for which a worker is busy when it resumes a paused trial, in seconds, at least 0.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    truth = TableTruth.of(table) if truth is None else truth
    return _Replay(table, truth, make_pair(table, method, seed), seed, workers, switch_seconds).run(
        at_least if until_best else math.inf
    )


class _Replay:
    """A replay in progress: Tune's loop, with a heap of the ends of epochs instead of processes.

    Schedulers get it as their controller; its public methods are those of Tune's.
    """

    def __init__(
        self, table: CurveTable, truth: TableTruth, pair: Pair, seed: int, workers: int, switch_seconds: float
    ) -> None:
        self._table, self._pair, self._truth = table, pair, truth
        self._searcher, self._scheduler = pair.searcher, pair.scheduler
        source = random.Random(seed)
        self._runs = [source.randrange(len(curves)) for curves in table.curves]
        self._nearest = Nearest.of(table)
        self._switch = switch_seconds
        self._free = workers
        self._clock = 0.0
        self._seen = -math.inf  # best observed value of a finished trial
        self._trials: list[_Trial] = []  # all of them, in the order of their creation
        self._live: dict[str, _Trial] = {}  # those that have not ended, by their ids
        self._pending: _Trial | None = None  # like Tune with a searcher, at most one is created before it can run
        self._paused = 0  # number of paused trials
        self._exhausted = False  # whether the searcher has no more trials
        self._ends: list[tuple[float, int, _Trial]] = []  # ends of the current epochs, the earliest first
        self._order = itertools.count()  # if two epochs end at the same time, the one started first comes first
        self._running = 0  # number of running trials
        self._starts = 0.0  # sum of the starts of their epochs, so that their compute is known without a sum over them
        self._done = 0.0  # core-seconds of epochs that ended or were given up
        self._pixels = 0.0
        self._begun: set[int] = set()  # rows with at least one epoch
        self._finished: set[int] = set()  # rows with all epochs
        self._trace = Trace()

    def run(self, enough: float) -> Trace:
        """Run until nothing is left or the limit is passed, or one of the best is found and the compute is ``enough``."""
        trace, most = self._trace, table_cost(self._table)
        while True:
            self._occupy()
            trial = self._next_end()
            if trial is None:
                break
            self._report(trial)
            if trace.compute > most or (trace.compute >= enough and trace.reached() is not None):
                break
        self._judge()
        return trace

    def _judge(self) -> None:
        """Record whether the replay left a best configuration unfinished."""
        best = {row for row in self._begun if self._truth.among_best[row]}
        self._trace.lost = bool(best) and not best & self._finished
        runs = {row: self._table.curves[row][self._runs[row]] for row in self._begun}
        ends = {row: max(curve.objective) for row, curve in runs.items() if not curve.failed}
        self._trace.dropped = bool(ends) and max(ends, key=lambda row: ends[row]) not in self._finished

    def get_trials(self) -> list[_Trial]:
        """Return all trials, in the order of their creation."""
        return self._trials

    def get_live_trials(self) -> list[_Trial]:
        """Return the trials that have not ended, in the order of their creation."""
        return list(self._live.values())

    def pause_trial(self, trial: _Trial, should_checkpoint: bool = True) -> None:
        """Pause a running trial. An epoch that has not ended is given up, and has cost what it has taken so far."""
        if trial.status == Trial.RUNNING:
            self._release(trial, Trial.PAUSED)

    def stop_trial(self, trial: _Trial) -> None:
        """End a trial for good, with the calls of Tune's controller."""
        if trial.status == Trial.TERMINATED:
            return
        if trial.status == Trial.RUNNING:
            self._release(trial, Trial.TERMINATED)
            self._scheduler.on_trial_complete(self, trial, trial.last_result)
            self._searcher.on_trial_complete(trial.trial_id, result=trial.last_result)
        else:
            self._paused -= trial.status == Trial.PAUSED
            self._pending = None if trial is self._pending else self._pending
            self._scheduler.on_trial_remove(self, trial)
            self._searcher.on_trial_complete(trial.trial_id)
            trial.status = Trial.TERMINATED
        del self._live[trial.trial_id]

    def _occupy(self) -> None:
        """Give every free worker a trial, as long as there are trials."""
        while self._free and (trial := self._choose()) is not None:
            resumed = trial.status == Trial.PAUSED
            if resumed:
                self._paused -= 1
                self._trace.resumed += 1
            else:
                self._pending = None
            trial.status = Trial.RUNNING
            self._free -= 1
            self._run_epoch(trial, self._switch if resumed else 0.0)

    def _choose(self) -> _Trial | None:
        """Return the next trial to run, pending or paused, in the order of Tune's step; None if there is none."""
        if self._pending is None and not self._exhausted:
            self._ask()
        if self._pending is None and not self._paused:
            return None
        chosen: _Trial | None = self._scheduler.choose_trial_to_run(self)
        if chosen is None or chosen.status not in (Trial.PENDING, Trial.PAUSED):
            return self._pending  # Tune starts a pending trial even if the scheduler does not choose it
        return chosen

    def _ask(self) -> None:
        """Ask the searcher for a new trial. It may have none at the moment, or no more at all."""
        name = str(self._trace.trials)
        config = self._searcher.suggest(name)
        if not isinstance(config, dict):
            self._exhausted = config == Searcher.FINISHED
            return
        row, exact = self._nearest.row(self._pair.params_of(config))
        self._trace.trials += 1
        self._trace.nearest += not exact
        run = self._runs[row]
        self._pending = _Trial(name, config, row, run, self._table.curves[row][run])
        self._trials.append(self._pending)
        self._live[name] = self._pending
        self._scheduler.on_trial_add(self, self._pending)

    def _run_epoch(self, trial: _Trial, more_seconds: float = 0.0) -> None:
        trial.started, trial.place = self._clock, next(self._order)
        trial.takes = more_seconds + trial.curve.seconds[trial.epoch]
        self._running += 1
        self._starts += self._clock
        heapq.heappush(self._ends, (self._clock + trial.takes, trial.place, trial))

    def _leave_epoch(self, trial: _Trial, seconds: float) -> None:
        """Count the cost of an epoch that ends or is given up."""
        trial.place = -1
        self._running -= 1
        self._starts -= trial.started
        self._done += seconds

    def _release(self, trial: _Trial, status: str) -> None:
        """Take a running trial from its worker."""
        if trial.place >= 0:  # not the trial whose report is being processed
            self._leave_epoch(trial, self._clock - trial.started)
        trial.status = status
        self._paused += status == Trial.PAUSED
        self._free += 1

    def _next_end(self) -> _Trial | None:
        """Advance the clock to the next end of an epoch and return its trial; None if nothing runs."""
        while self._ends:
            clock, place, trial = heapq.heappop(self._ends)
            if place == trial.place:
                self._clock = clock
                return trial
        return None

    def _report(self, trial: _Trial) -> None:
        """Process the end of an epoch. The order of calls is that of Tune's `_process_trial_result` and `stop_trial`."""
        curve, epochs = trial.curve, self._table.epochs
        self._leave_epoch(trial, trial.takes)
        self._pixels += curve.pixels[trial.epoch] - (curve.pixels[trial.epoch - 1] if trial.epoch else 0.0)
        trial.epoch += 1
        epoch, seen = trial.epoch, curve.objective[: trial.epoch]
        self._begun.add(trial.row)
        took, pixels = curve.seconds[epoch - 1], curve.pixels[epoch - 1]
        figures = EpochFigures(seen[-1], max(seen), pixels=pixels, epoch_seconds=took)
        report = TrialReport(epoch, epochs, tuple(seen), figures if seen[-1] > FAILED else None)
        result = {**report.to_json(), "training_iteration": epoch}
        decision = self._scheduler.on_trial_result(self, trial, result)
        self._trace.compute = self._done + self._running * self._clock - self._starts
        if trial.status == Trial.TERMINATED:  # the scheduler itself has stopped it
            return
        if decision != TrialScheduler.STOP:
            self._searcher.on_trial_result(trial.trial_id, result)
        trial.last_result = result
        if decision == TrialScheduler.STOP or epoch == len(curve.objective):
            self.stop_trial(trial)
            self._note(trial)
        elif decision == TrialScheduler.PAUSE:
            self.pause_trial(trial)
        elif trial.status == Trial.RUNNING:
            self._run_epoch(trial)

    def _note(self, trial: _Trial) -> None:
        """Record a finished trial as the new incumbent if its observed value is the best so far."""
        if trial.epoch < self._table.epochs or trial.curve.failed:
            return
        self._finished.add(trial.row)
        self._trace.finished += 1
        seen = max(trial.curve.objective)
        if seen > self._seen:
            self._seen = seen
            regret = self._truth.regret[trial.row][trial.run]
            among = bool(self._truth.among_best[trial.row])
            self._trace.steps.append(Step(self._trace.compute, self._pixels, self._clock, regret, among))
