"""Replays follow Tune's loop, cost what the table says and find what it holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import METHODS, Method, parse_method
from srcnn.tuning.replay.pair import Pair
from srcnn.tuning.replay.regret import processes, repeat
from srcnn.tuning.replay.simulator import replay
from srcnn.tuning.replay.trace import Trace
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import FAILED

from curve_tables import EPOCHS, flat_table, make_table


@pytest.mark.parametrize("method", [*METHODS, "grid+hyperband", "tpe+median", "cmaes+asha"])
@pytest.mark.parametrize("workers", [1, 7])
def test_every_method_finds_one_of_the_best_of_a_small_table(space: Space, method: str, workers: int) -> None:
    table = make_table(space)
    trace = replay(table, parse_method(method), workers, seed=3, until_best=True)
    step = trace.reached()
    if step is None:  # a scheduler may have stopped the best one in its noise, and nothing runs twice but in stock
        assert method != "random"
        assert trace.trials >= len(table.params) or method.startswith("stock")
    else:
        assert step is trace.steps[-1]
        assert step.regret <= 0.1


def test_equal_seeds_give_equal_replays_in_any_number_of_processes(space: Space) -> None:
    table = make_table(space)
    alone = repeat(table, METHODS["ours"], 4, 6, seed=11)
    with processes(2) as pool:
        assert repeat(table, METHODS["ours"], 4, 6, seed=11, pool=pool) == alone
    assert alone != repeat(table, METHODS["ours"], 4, 6, seed=12)


def test_compute_is_that_of_every_worker_and_the_clock_that_of_one(space: Space) -> None:
    """Every epoch of the table takes a second, so that both can be counted by hand."""
    table = make_table(space)
    one, six = (replay(table, METHODS["random"], workers, seed=1) for workers in (1, 6))
    assert [s.compute % EPOCHS for s in one.steps] == [0] * len(one.steps)
    assert all(s.clock == s.compute for s in one.steps)
    assert one.trials * EPOCHS == one.compute
    assert all(s.clock % EPOCHS == 0 for s in six.steps)
    # The first of six that end together: all six have run until then.
    assert six.steps[0].clock == EPOCHS
    assert six.steps[0].compute == 6 * EPOCHS
    assert six.steps[0].pixels <= 6 * 900


def test_more_workers_than_configurations_stop_when_nothing_is_left(space: Space) -> None:
    table = make_table(space)
    trace = replay(table, METHODS["random"], 1000, seed=1)
    assert trace.trials == trace.finished == len(table.params)
    assert trace.compute == len(table.params) * EPOCHS


def test_random_search_needs_the_mean_of_draws_without_replacement(space: Space) -> None:
    """One best of 24 in random order, far ahead of the others: its mean rank is 12.5."""
    table = make_table(space)
    truth = TableTruth.of(table)
    assert truth.among_best.sum() == 1
    traces = repeat(table, METHODS["random"], 1, 150, until_best=True)
    ranks = [step.compute / EPOCHS for t in traces if (step := t.reached()) is not None]
    assert len(ranks) == 150
    assert np.mean(ranks) == pytest.approx(12.5, abs=3 * 6.92 / math.sqrt(150))


def test_the_searcher_is_told_what_tune_would_tell(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours hears PRUNED of stopped trials, Tune's own COMPLETE with a partial value."""
    table = make_table(space)
    kept: list[Any] = []
    for kind in (StudySearcher, OptunaSearch):
        monkeypatch.setattr(f"srcnn.tuning.replay.pair.{kind.__name__}", keeping(kind, kept))
    ours = replay(table, Method("m", "tpe", "asha"), 4, seed=1)
    states = [t.state for t in kept[0].study.trials if "skipped" not in t.user_attrs]
    assert states.count(TrialState.COMPLETE) == ours.finished
    assert states.count(TrialState.PRUNED) > 0
    stopped = next(t for t in kept[0].study.trials if t.state == TrialState.PRUNED)
    assert list(stopped.intermediate_values) == list(range(1, 1 + len(stopped.intermediate_values)))
    stock = replay(table, METHODS["stock"], 4, seed=1)
    told = kept[1]._ot_study.trials
    assert {t.state for t in told} <= {TrialState.COMPLETE, TrialState.RUNNING}
    assert sum(t.state == TrialState.COMPLETE for t in told) > stock.finished


def keeping(kind: type[Any], kept: list[Any]) -> Any:
    def make(*arguments: Any, **options: Any) -> Any:
        kept.append(kind(*arguments, **options))
        return kept[-1]

    return make


def test_a_failed_trial_is_no_find_and_the_search_goes_on(space: Space) -> None:
    table = make_table(space, seeds=1)
    best = int(table.quality.argmax())
    dead = (Curve(1, (0.9, FAILED), (1.0, 1.0), (100.0, 200.0)),)
    curves = tuple(dead if i == best else c for i, c in enumerate(table.curves))
    table = CurveTable(space, EPOCHS, table.params, curves, {})
    trace = replay(table, METHODS["random"], 2, seed=0)
    assert trace.trials == len(table.params)
    assert trace.finished == len(table.params) - 1
    assert trace.steps[-1].regret == 0.0
    assert trace.steps[-1].among_best


def test_a_search_hands_over_what_it_saw_not_what_is_best(space: Space) -> None:
    """Of a lucky run of a poor configuration and a plain one of a better, it takes the lucky one, and regret rises again."""
    table = flat_table(space, [[1.3, 0.7], [1.0, 1.0]])
    found = [replay(table, METHODS["random"], 1, seed=s) for s in range(40)]
    ends = {round(t.steps[-1].regret, 6) for t in found if len(t.steps) == 2}
    best = TableTruth.of(table).best
    assert round(best - 0.7, 6) in ends
    rising = [t for t in found if len(t.steps) == 2 and t.steps[1].regret > t.steps[0].regret]
    assert rising
    assert rising[0].regret(100.0, 9.0) == rising[0].steps[1].regret
    assert rising[0].regret(0.0, 9.0) == 9.0


def test_the_stock_pair_stops_at_the_rungs_that_it_is_given(space: Space) -> None:
    table = make_table(space)
    lengths = {}
    for name in ("stock", "stock-same-rungs"):
        ended: set[int] = set()
        stock_replay(table, METHODS[name], ended)
        lengths[name] = ended - {EPOCHS}
    assert lengths["stock"] == {1, 4}
    assert lengths["stock-same-rungs"] == {2, 6}


def stock_replay(table: CurveTable, method: Method, ended: set[int]) -> None:
    """A replay that notes at which epochs trials ended."""
    with pytest.MonkeyPatch.context() as patch:
        told = OptunaSearch.on_trial_complete

        def note(self: Any, trial_id: str, result: Any = None, error: bool = False) -> None:
            ended.add(result["epoch"])
            told(self, trial_id, result, error)

        patch.setattr(OptunaSearch, "on_trial_complete", note)
        replay(table, method, 4, seed=1)


def test_methods_meet_the_same_runs_in_the_same_repetition(space: Space) -> None:
    """Random search and the grid end with all configurations seen, so with the same one."""
    source = np.random.default_rng(2)
    table = flat_table(space, 1.0 + 0.1 * source.standard_normal((24, 3)))
    for seed in range(5):
        ends = {
            replay(table, parse_method(m), w, seed).steps[-1].regret for m in ("random", "grid+none") for w in (1, 5)
        }
        assert len(ends) == 1


class Notes(Searcher):  # type: ignore[misc]
    """The grid in order, with what the searcher is told. Every other answer is that there is nothing at the moment."""

    def __init__(self, rows: list[Any], hesitates: bool) -> None:
        super().__init__(metric="objective", mode="max")
        self.rows, self.hesitates, self.asked = list(rows), hesitates, 0
        self.told: list[tuple[str, int | None]] = []

    def suggest(self, trial_id: str) -> Any:
        self.asked += 1
        if self.hesitates and self.asked % 2 == 0:
            return None
        return dict(self.rows.pop(0)) if self.rows else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.told.append((trial_id, None if result is None else result["epoch"]))


class InTurns(FIFOScheduler):  # type: ignore[misc]
    """Pauses every trial after each epoch, and continues the one that waits longest; new trials come first."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: list[Any] = []
        self.epochs: list[tuple[str, int]] = []
        self.removed: list[str] = []

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        assert trial.status == Trial.RUNNING
        assert trial in tune_controller.get_live_trials()
        self.epochs.append((trial.trial_id, result["epoch"]))
        self.queue.append(trial)
        return str(TrialScheduler.PAUSE)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self.removed.append(trial.trial_id)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        new = [t for t in tune_controller.get_trials() if t.status == Trial.PENDING]
        self.queue = [t for t in self.queue if t.status == Trial.PAUSED]
        return (new or self.queue or [None])[0]


def replay_with(table: CurveTable, searcher: Notes, scheduler: Any, workers: int, **options: Any) -> Trace:
    with pytest.MonkeyPatch.context() as patch:
        pair = Pair(searcher, scheduler, lambda config: config)
        patch.setattr("srcnn.tuning.replay.simulator.make_pair", lambda *_: pair)
        return replay(table, METHODS["random"], workers, seed=1, **options)


@pytest.mark.parametrize("workers", [1, 4, 1000])
@pytest.mark.parametrize("hesitates", [False, True])
def test_paused_trials_continue_and_repeat_nothing(space: Space, workers: int, hesitates: bool) -> None:
    table = make_table(space)
    searcher, scheduler = Notes(list(table.params), hesitates), InTurns()
    trace = replay_with(table, searcher, scheduler, workers)
    assert trace.trials == trace.finished == 24
    assert trace.resumed == 24 * (EPOCHS - 1)
    assert trace.compute == 24 * EPOCHS
    assert sorted(scheduler.epochs) == sorted((str(t), e) for t in range(24) for e in range(1, EPOCHS + 1))
    assert sorted(searcher.told) == sorted((str(t), EPOCHS) for t in range(24))


def test_resuming_takes_the_time_that_it_is_given(space: Space) -> None:
    table = flat_table(space, [[1.0], [1.1]])
    trace = replay_with(table, Notes(list(table.params), False), InTurns(), 1, switch_seconds=0.25)
    assert trace.resumed == 2 * (EPOCHS - 1)
    assert trace.compute == trace.steps[-1].clock == 2 * EPOCHS + 0.25 * trace.resumed


def test_trials_that_are_stopped_while_they_wait_or_run_are_reported_as_tune_does(space: Space) -> None:
    """Of three trials on two workers, the first report ends all others: one runs, one has just been paused."""

    class Ends(InTurns):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            decision = super().on_trial_result(tune_controller, trial, result)
            if len(self.epochs) == 4:
                for other in tune_controller.get_live_trials():
                    if other is not trial:
                        tune_controller.stop_trial(other)
                        tune_controller.stop_trial(other)  # a second time does nothing
                return str(TrialScheduler.CONTINUE)
            return decision if len(self.epochs) < 4 else str(TrialScheduler.CONTINUE)

    table = flat_table(space, [[1.0], [1.1], [1.2]])
    seconds = [1.0, 1.25, 1.0]
    curves = tuple(
        (Curve(1, c[0].objective, (s,) * EPOCHS, c[0].pixels),) for c, s in zip(table.curves, seconds, strict=True)
    )
    table = CurveTable(space, EPOCHS, table.params, curves, {})
    searcher, scheduler = Notes(list(table.params), False), Ends()
    trace = replay_with(table, searcher, scheduler, 2)
    # Trial 0 ends its first epoch at 1, trial 1 at 1.25, trial 2 at 2 (it began at 1), trial 0 its second at 2.25 (it began at
    # 1.25) while trial 1 has run since 2 and trial 2 waits.
    assert scheduler.epochs[:4] == [("0", 1), ("1", 1), ("2", 1), ("0", 2)]
    assert sorted(searcher.told) == [("0", EPOCHS), ("1", 1), ("2", None)]
    assert scheduler.removed == ["2"]
    assert trace.compute == 1 + 1.25 + 1 + 1 + 0.25 + 7
    assert trace.finished == 1


def test_a_pending_trial_starts_even_if_the_scheduler_chooses_nothing(space: Space) -> None:
    class Mute(FIFOScheduler):  # type: ignore[misc]
        def choose_trial_to_run(self, tune_controller: Any) -> Any:
            return None

    table = flat_table(space, [[1.0], [1.1]])
    assert replay_with(table, Notes(list(table.params), False), Mute(), 2).finished == 2


def test_the_best_is_lost_if_it_was_begun_and_none_of_the_best_finished(space: Space) -> None:
    class Stops(FIFOScheduler):  # type: ignore[misc]
        def __init__(self, *stopped: str) -> None:
            super().__init__()
            self.stopped = stopped

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            return str(TrialScheduler.STOP if trial.trial_id in self.stopped else TrialScheduler.CONTINUE)

    table = flat_table(space, [[0.5], [1.0], [0.9], [0.99]])
    truth = TableTruth.of(table, 0.02)
    assert truth.among_best.tolist() == [False, True, False, True]
    rows = list(table.params)
    ends = {
        stopped: replay_with(table, Notes(rows, False), Stops(*stopped), 1, truth=truth)
        for stopped in [(), ("1",), ("3",), ("1", "3")]
    }
    assert [(t.lost, t.dropped) for t in ends.values()] == [(False, False), (False, True), (False, False), (True, True)]
    never_begun = replay_with(table, Notes(rows[:1], False), Stops("0"), 1, truth=truth)
    assert (never_begun.lost, never_begun.dropped) == (False, True)


def test_tunes_own_schedulers_never_pause(space: Space) -> None:
    assert replay(make_table(space), parse_method("tpe+median"), 3, seed=2).resumed == 0


@pytest.mark.parametrize("workers", [1, 6])
def test_a_replay_that_ends_with_the_best_has_the_figures_of_a_whole_one_until_then(space: Space, workers: int) -> None:
    table = make_table(space)
    whole = replay(table, METHODS["random+asha"], workers, seed=5)
    step = whole.reached()
    assert step is not None
    later = (step.compute + whole.compute) / 2
    short, longer = (
        replay(table, METHODS["random+asha"], workers, seed=5, until_best=True, at_least=compute)
        for compute in (0.0, later)
    )
    assert step == short.reached() == longer.reached()
    assert short.compute == step.compute
    assert later <= longer.compute <= whole.compute
    assert longer.regret(later, 9.0) == whole.regret(later, 9.0)
    assert whole.lost is short.lost is longer.lost is False
