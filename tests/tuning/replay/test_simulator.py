"""Replays follow Tune's loop, cost what the table says and find what it holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from srcnn.errors import ConfigError, DataError, SearchError
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import Curve, CurveTable, read_table, write_table
from srcnn.tuning.curves.nearest import Nearest
from srcnn.tuning.curves.past_search import past_search
from srcnn.tuning.curves.table_truth import TableTruth
from srcnn.tuning.replay.figures import SHARES, Replayed, figures, over_tables, table_data
from srcnn.tuning.replay.methods import METHODS, Method, parse_method
from srcnn.tuning.replay.regret import bands, processes, ratio, repeat, summarize
from srcnn.tuning.replay.regret_plot import plot_regret
from srcnn.tuning.replay.simulator import Step, Trace, replay, table_cost
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking.tracker import Tracker
from srcnn.tuning.trials.objective import FAILED, PAPER_GAIN

from checkout import ROOT

RECORDED = ROOT / "experiments" / "results" / "grid-x3.csv.gz"
EPOCHS = 9
SPACE = """\
parameters:
  n1: {type: categorical, choices: [8, 16, 32, 64]}
  kernels: {type: categorical, choices: [9-1-5, 9-3-5, 9-5-5]}
  learning_rate: {type: categorical, choices: [1.0e-4, 1.0e-3]}
constants: {scale: 3}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE, encoding="utf-8")
    return load_space(path)


def make_table(space: Space, seeds: int = 2) -> CurveTable:
    """Curves that rise to a figure which each parameter adds to: the best is 64 filters, 9-5-5, at 1e-3."""
    source = np.random.default_rng(0)
    rows = space.grid()
    curves = []
    for row in rows:
        worth = 0.5 + 0.1 * math.log2(int(str(row["n1"]))) / 6 + 0.1 * (row["learning_rate"] == 1e-3)
        worth += 0.05 * {"9-1-5": 0, "9-3-5": 1, "9-5-5": 2}[str(row["kernels"])]
        runs = []
        for seed in range(seeds):
            values = [round(worth * (1 - 0.8 / e) + 0.002 * source.standard_normal(), 4) for e in range(1, EPOCHS + 1)]
            runs.append(Curve(seed + 1, tuple(values), (1.0,) * EPOCHS, tuple(100.0 * e for e in range(1, EPOCHS + 1))))
        curves.append(tuple(runs))
    return CurveTable(space, EPOCHS, tuple(rows), tuple(curves), {"device": "none"})


def best_of(table: CurveTable) -> dict[str, Value]:
    return dict(table.params[int(table.quality.argmax())])


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_table_survives_its_file(tmp_path: Path, space: Space, name: str) -> None:
    table = make_table(space)
    write_table(tmp_path / name, table)
    first = (tmp_path / name).read_bytes()
    read = read_table(tmp_path / name)
    assert read.params == table.params
    assert read.about == table.about
    assert read.space.parameters == space.parameters
    assert [c.seconds for c in read.curves[3]] == [c.seconds for c in table.curves[3]]
    np.testing.assert_allclose(read.quality, table.quality, atol=1e-4)
    write_table(tmp_path / name, read)
    assert (tmp_path / name).read_bytes() == first


def test_a_failed_run_stays_failed_in_a_table(tmp_path: Path, space: Space) -> None:
    table = make_table(space, seeds=1)
    dead = Curve(1, (0.1, FAILED), (1.0, 1.0), (100.0, 200.0))
    table = CurveTable(space, EPOCHS, table.params, ((dead,), *table.curves[1:]), {})
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv").curves[0][0].objective[-1] == FAILED
    assert table.quality[0] == -np.inf


@pytest.mark.parametrize("content", [b"", b"n1,seed\n1,2\n", b"# {}\n", b"\x1f\x8b\x08 torn"])
def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.csv\.gz: ") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "missing.csv")


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


def test_the_nearest_configuration_stands_for_one_that_was_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}\n"
        "  kernels: {type: categorical, choices: [9-1-5, 9-5-5]}\n",
        encoding="utf-8",
    )
    rows: tuple[dict[str, Value], ...]
    rows = ({"learning_rate": 1e-4, "kernels": "9-1-5"}, {"learning_rate": 1e-2, "kernels": "9-1-5"})
    curve = (Curve(1, (0.1,), (1.0,), (1.0,)),)
    nearest = Nearest.of(CurveTable(load_space(path), 1, rows, (curve, curve), {}))
    assert nearest.row({"learning_rate": 1e-2, "kernels": "9-1-5"}) == (1, True)
    # 9e-4 is nearer to 1e-4 on a logarithmic axis, though far nearer to it on none other.
    assert nearest.row({"learning_rate": 9e-4, "kernels": "9-1-5"}) == (0, False)
    assert nearest.row({"learning_rate": 2e-3, "kernels": "9-5-5"}) == (1, False)


def trace_of(*steps: tuple[float, float], good: float = 0.02) -> Trace:
    made = [Step(compute, compute, compute, regret, regret <= good) for compute, regret in steps]
    return Trace(made, compute=100.0, trials=4)


def test_figures_of_repetitions() -> None:
    traces = [trace_of((10, 0.5), (20, 0.01)), trace_of((30, 0.0)), trace_of((10, 0.3))]
    found = summarize("m", 1, traces, [5.0, 15.0, 40.0], worst=1.0)
    assert found.reached[0] == pytest.approx(2 / 3)
    # Wilson's interval of 2 of 3, from his formula by hand: centre 0.5693, half width 0.3613.
    assert found.reached[1:] == pytest.approx((0.2077, 0.9385), abs=1e-3)
    assert found.compute[0] == 30
    assert found.compute[2] == math.inf
    assert [r[0] for r in found.regret] == pytest.approx([1.0, (0.5 + 1.0 + 0.3) / 3, (0.01 + 0.0 + 0.3) / 3])
    assert found.regret[0] == (1.0, 1.0, 1.0)
    never = summarize("m", 1, traces[2:] * 2, [5.0], worst=1.0)
    assert never.compute == (math.inf,) * 3
    assert ratio([[trace_of((10, 0.0))] * 3], [[trace_of((40, 0.0))] * 3]) == pytest.approx((0.25, 0.25, 0.25))
    assert all(map(math.isnan, ratio([traces[2:] * 2], [traces[2:] * 2])))
    assert all(map(math.isnan, ratio([[trace_of((10, 0.0))] * 2], [traces[2:] * 2])))  # of one who never arrives
    two = ratio([[trace_of((10, 0.0))] * 3, [trace_of((40, 0.0))] * 3], [[trace_of((40, 0.0))] * 3] * 2)
    assert two == pytest.approx((0.5, 0.5, 0.5))


def test_the_band_of_a_regret_curve_is_students() -> None:
    """Against the textbook's t(0.975, 2) = 4.303."""
    values = np.array([0.1, 0.2, 0.6])
    band = bands([trace_of((10, float(v))) for v in values], np.array([20.0]), worst=1.0)
    half = 4.303 * values.std(ddof=1) / math.sqrt(3)
    assert (band["mean"][0], band["low"][0], band["high"][0]) == pytest.approx((0.3, 0.3 - half, 0.3 + half), abs=1e-3)


def test_only_dead_networks_so_far_count_as_the_worst() -> None:
    traces = [trace_of((10, math.inf), (30, 0.25)), trace_of((10, 0.5))]
    band = bands(traces, np.array([5.0, 15.0, 40.0]), worst=1.0)
    np.testing.assert_allclose(band["mean"], [1.0, 0.75, 0.375])
    assert np.isfinite(band["low"]).all()
    assert np.isfinite(band["high"]).all()


def test_a_picture_is_drawn(tmp_path: Path, space: Space) -> None:
    table = make_table(space)
    traces = {(m, w): repeat(table, METHODS[m], w, 3) for m in ("random", "random+asha") for w in (1, 4)}
    plot_regret(tmp_path / "p.png", table, TableTruth.of(table), traces, "caption")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def flat_table(space: Space, gains: Any) -> CurveTable:
    """Curves that end at some gains in dB, (configurations, seeds); every epoch takes a second."""
    rows = space.grid()[: len(gains)]
    length = tuple(100.0 * e for e in range(1, EPOCHS + 1))
    curves = tuple(
        tuple(
            Curve(seed, tuple(gain / PAPER_GAIN[3] * e / EPOCHS for e in range(1, EPOCHS + 1)), (1.0,) * EPOCHS, length)
            for seed, gain in enumerate(map(float, some), start=1)
        )
        for some in gains
    )
    return CurveTable(space, EPOCHS, tuple(rows), curves, {})


def test_a_lucky_cell_is_no_finishing_line(space: Space) -> None:
    """24 configurations of the same worth, one of them with a lucky seed: all of them are the best, and no search needs more
    than its first trial. The plain maximum of the means makes it a race to the lucky one, 12.5 trials on average."""
    gains = 1.0 + 0.05 * np.random.default_rng(1).standard_normal((24, 3))
    gains[7, 1] += 0.2
    table = flat_table(space, gains)
    assert table.quality.argmax() == 7
    assert (table.quality >= table.quality.max() - 0.02).sum() == 1
    truth = TableTruth.of(table)
    assert truth.among_best.sum() >= 20
    assert truth.best < table.quality.max() - 0.02
    traces = repeat(table, METHODS["random"], 1, 60, truth=truth)
    ranks = [step.compute / EPOCHS for t in traces if (step := t.reached()) is not None]
    assert len(ranks) == 60
    assert np.mean(ranks) < 3


def test_regret_is_judged_by_runs_that_the_search_did_not_see(space: Space) -> None:
    """By hand: the lucky run of 1.3 is worth the 1.0 of the others; chosen by two seeds, the best is worth (1.1 + 1.1 + 1.1) / 3,
    except that the lucky run wins where it may choose, and is then worth 1.0."""
    table = flat_table(space, [[1.3, 1.0, 1.0], [1.1, 1.1, 1.1], [0.5, 0.5, 0.5]])
    truth = TableTruth.of(table)
    assert truth.best == pytest.approx((1.1 + 1.0 + 1.0) / 3)
    assert truth.regret[0] == pytest.approx((truth.best - 1.0, truth.best - 1.15, truth.best - 1.15))
    assert truth.degrees == 6
    assert truth.noise == pytest.approx(math.sqrt(0.06 / 6))
    # t(0.95, 6) = 1.943 of the textbook, of the difference between two means of three.
    assert truth.usual_tolerance == pytest.approx(1.943 * 0.1 * math.sqrt(2 / 3), abs=1e-4)
    assert list(truth.among_best) == [True, True, False]
    assert TableTruth.of(table, 0.5).usual_tolerance == 0.5


def test_the_figure_of_the_best_and_those_that_count_hold_in_simulation(space: Space) -> None:
    """24 known truths, noise of 0.07 dB, 300 tables: the plain maximum is too high; 90 % of the best are in the set."""
    source = np.random.default_rng(5)
    worth = np.minimum(np.linspace(0.6, 1.3, 24), 1.2)  # four are equally good
    best, plain, inside = [], [], []
    for _ in range(300):
        table = flat_table(space, worth[:, None] + 0.07 * source.standard_normal((24, 3)))
        truth = TableTruth.of(table)
        best.append(truth.best - 1.2)
        plain.append(table.quality.max() - 1.2)
        inside.append(truth.among_best[20:].mean())
        assert not truth.among_best[:9].any()
    assert np.mean(plain) > 0.03
    assert -0.03 < np.mean(best) < 0.01
    assert np.mean(inside) > 0.9


def test_one_run_each_tells_no_noise(space: Space) -> None:
    table = flat_table(space, [[1.0], [1.1], [0.9]])
    truth = TableTruth.of(table)
    assert math.isnan(truth.noise)
    assert list(truth.among_best) == [False, True, False]
    assert truth.regret[0] == pytest.approx((0.1,))


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


def test_the_table_on_which_something_was_developed_says_so(space: Space) -> None:
    table = make_table(space)
    assert table_data(Replayed("t", table, TableTruth.of(table)))["developed_on"] is False
    told = CurveTable(space, EPOCHS, table.params, table.curves, {"developed_on": "the first rung"})
    assert table_data(Replayed("t", told, TableTruth.of(told)))["developed_on"] == "the first rung"


def test_several_tables_have_a_summary(space: Space) -> None:
    tables = [make_table(space), flat_table(space, np.linspace(0.5, 1.2, 24)[:, None] + np.array([-0.01, 0.0, 0.01]))]
    methods = [METHODS["random"], METHODS["stock"]]
    done = []
    for i, table in enumerate(tables):
        one = Replayed(str(i), table, TableTruth.of(table))
        for m in methods:
            one.traces[m.name, 2] = repeat(table, m, 2, 5, truth=one.truth)
        done.append(one)
    lines = over_tables(done, methods, [2])
    each = [figures(one, methods, [2]) for one in done]
    assert [line["method"] for line in lines] == ["random", "stock"]
    assert each[0][0]["at"] == pytest.approx([share * table_cost(tables[0]) for share in SHARES])
    for i, line in enumerate(lines):
        assert line["tables"] == 2
        assert line["regret"][2][0] == pytest.approx((each[0][i]["regret"][2][0] + each[1][i]["regret"][2][0]) / 2)
        width = [e[i]["regret"][2][2] - e[i]["regret"][2][0] for e in each]
        assert line["regret"][2][2] - line["regret"][2][0] == pytest.approx(math.hypot(*width) / 2)
    assert lines[1]["of"]["stock"][0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [("tpee", "did you mean 'tpe'"), ("tpee+asha", "sampler 'tpee'"), ("tpe+asher", "did you mean 'asha'")],
)
def test_an_unknown_method_names_what_there_is(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_method(name)


def test_a_past_search_is_read_from_mlflow(tmp_path: Path, space: Space) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = Tracker(uri, tmp_path / "artifacts")
    tracker.open_search("mine", {}, {"space": space.source})
    dataset = {"name": "d", "digest": "0", "images": "1"}
    for i, (params, length) in enumerate(zip(space.grid(), (9, 1, 3, 9), strict=False)):
        run = {"scale": "3", "pixels": "900.0", "epoch_pixels": "100.0", "seed": "7"}
        tracker.start_trial(str(i), "trial", {**params, **run}, {}, dataset)
        for epoch in range(1, length + 1):
            figures = {"objective": 0.1 * i + 0.01 * epoch, "epoch_seconds": 2.0, "pixels": 100.0 * epoch}
            tracker.log_epoch(str(i), epoch, figures)
        tracker.end_trial(str(i), "FINISHED", {"outcome": "finished" if length == 9 else "stopped"})
    tracker.start_trial("dead", "trial", {**space.grid()[4], **run}, {}, dataset)
    tracker.end_trial("dead", "FAILED", {"outcome": "failed"})
    tracker.log_text(SPACE, "space.yaml")
    tracker.close_search("FINISHED")
    table = past_search("mine", uri)
    assert table.epochs == 9
    rows = {json.dumps(dict(p), sort_keys=True): c for p, c in zip(table.params, table.curves, strict=True)}
    curves = [rows[json.dumps(p, sort_keys=True)][0] for p in space.grid()[:5]]
    assert curves[0].objective == pytest.approx([0.01 * e for e in range(1, 10)])
    assert curves[1].objective == pytest.approx([0.11] * 9)
    assert curves[2].pixels == tuple(100.0 * e for e in range(1, 10))
    assert curves[4].objective == (FAILED,)
    assert table.about["partial"] == 2
    assert table.quality.max() == pytest.approx(0.39 * PAPER_GAIN[3])
    trace = replay(table, METHODS["ours"], 2, seed=1)
    assert trace.steps[-1].regret == pytest.approx(0)
    assert trace.nearest > 0
    with pytest.raises(SearchError, match=r"search 'other' does not exist.*there are: mine"):
        past_search("other", uri)
    with pytest.raises(ConfigError, match="scale: must be one of those of the search, 3, but got 2"):
        past_search("mine", uri, 2)
    with pytest.raises(SearchError, match="there is no store"):
        past_search("mine", f"sqlite:///{tmp_path / 'none.db'}")


@pytest.mark.skipif(not RECORDED.exists(), reason="the grid is not recorded")
def test_the_recorded_grid_is_complete() -> None:
    table = read_table(RECORDED)
    assert len(table.params) >= 96
    assert {len(curves) for curves in table.curves} == {3}
    assert {len(c.objective) for curves in table.curves for c in curves if not c.failed} == {table.epochs}
    assert RECORDED.stat().st_size < 300_000
    assert {"device", "version.torch", "mlflow.source.git.commit", "digest"} <= set(table.about)
    assert "curves" in table.about["developed_on"]
    # One standard error of a mean of three is 0.045 dB: three configurations are as good as the best within what can be told.
    truth = TableTruth.of(table)
    assert truth.noise / math.sqrt(3) == pytest.approx(0.045, abs=0.001)
    assert truth.among_best.sum() == 3
    assert "Set5" not in json.dumps(dict(table.about))
