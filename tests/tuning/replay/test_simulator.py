"""Replays follow Tune's loop, cost what the table says and find what it holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import Curve, CurveTable
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.methods import METHODS, Method, parse_method
from srcnn.tuning.replay.regret import processes, repeat
from srcnn.tuning.replay.simulator import replay
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
        monkeypatch.setattr(f"srcnn.tuning.replay.simulator.{kind.__name__}", keeping(kind, kept))
    ours = replay(table, Method("m", "random", "asha"), 4, seed=1)
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
