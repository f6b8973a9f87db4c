"""The comparison of models of curves, and the cost of a decision: states, scores by hand, and what each model must know."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srcnn.tuning.algorithms.allocator import Allocator
from srcnn.tuning.algorithms.gaussian_process import GaussianProcess
from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space

from _bench import curve_models, decision_cost
from _bench.curve_ensembles import PowerLaws
from _bench.curve_models import PREDICTORS, draw_state, large_state, scores
from _bench.curve_predictors import LastValue, Predicted, State, _at_the_end
from checkout import ROOT
from curve_tables import EPOCHS, make_table, space

__all__ = ["space"]


@pytest.fixture
def table(space: Space) -> CurveTable:
    return make_table(space)


def _points(count: int) -> list[Any]:
    return [np.linspace(0.0, 1.0, count)[:, None] if count else np.zeros((0, 1))]


def test_a_state_holds_the_starts_of_recorded_curves_and_their_ends(table: CurveTable) -> None:
    drawn = draw_state(table, 12, seed=3)
    state = drawn.state
    assert len(state.curves) == 12
    assert len(drawn.ends) == len(table.params) == 12 + len(state.new[0])
    whole = {run.objective for runs in table.curves for run in runs}
    for curve, end in zip(state.curves, drawn.ends, strict=False):
        assert 1 <= len(curve) <= EPOCHS
        assert any(run[: len(curve)] == tuple(curve) and run[-1] == end for run in whole)
    lengths = [len(curve) for curve in state.curves]
    assert EPOCHS in lengths
    assert min(lengths) < EPOCHS
    again = draw_state(table, 12, seed=3)
    assert [list(c) for c in again.state.curves] == [list(c) for c in state.curves]
    assert [len(early.curves) for early in state.before()] == [5, 6, 8, 10]


def test_scores_by_hand() -> None:
    # The first two begun curves cross after epoch 1; the third has finished, and the fourth trial has failed.
    curves = [(0.1,), (0.2, 0.3), (0.0, 0.1, 0.2), ()]
    state = State(3, _points(4), curves, [False, False, False, True], _points(2))
    ends = np.array([0.6, 0.4, 0.2, math.nan, 0.5, 0.7])
    drawn = curve_models.Drawn(state, ends, in_db=2.0)
    right = scores(drawn, Predicted(ends.copy(), np.full(6, 0.5)))
    assert right["crossings"] == 1.0
    assert right["false_crossings"] == 0.0
    assert right["begun_density"] == pytest.approx(-0.5 * math.log(2 * math.pi))  # a deviation of 0.5 is 1 dB here
    assert right["new_rank"] == pytest.approx(1.0)
    shifted = scores(drawn, Predicted(np.array([0.3, 0.5, 0.9, 0.0, 0.6, 0.6]), np.full(6, 0.1)))
    assert shifted["crossings"] == 0.0  # the first two are said not to cross
    assert shifted["begun_error_db"] == pytest.approx(2.0 * math.sqrt((0.3**2 + 0.1**2) / 2))
    assert shifted["begun_covered"] == 0.5  # 0.1 is within 1.28 deviations, 0.3 is not
    assert math.isnan(shifted["new_rank"])


@pytest.mark.parametrize("name", PREDICTORS)
def test_every_model_predicts_all_ends_with_a_deviation(table: CurveTable, name: str) -> None:
    state = draw_state(table, 14, seed=1).state
    curves, failed = [*state.curves], [*state.failed]
    curves[3], failed[3] = (), True  # failed before its first report
    state = State(EPOCHS, state.places, curves, failed, state.new)
    model = PREDICTORS[name](len(state.places), EPOCHS)
    model.warm(state.before())
    predicted = model.predict(state)
    assert predicted.mean.shape == predicted.deviation.shape == (len(table.params),)
    assert np.isfinite(predicted.mean).all()
    assert (predicted.deviation > 0).all()


def test_power_laws_find_the_ends_of_power_laws() -> None:
    source = np.random.default_rng(0)
    ends, gains = source.uniform(0.3, 0.6, 30), source.uniform(0.2, 0.5, 30)
    steps = np.arange(1, EPOCHS + 1)
    fall = (steps**-0.7 - EPOCHS**-0.7) / (1 - EPOCHS**-0.7)
    whole = ends[:, None] - gains[:, None] * fall
    lengths = [EPOCHS if i % 3 == 0 else 4 for i in range(30)]
    state = State(
        EPOCHS, _points(30), [row[:n].tolist() for row, n in zip(whole, lengths, strict=True)], [False] * 30, _points(1)
    )
    predicted = PowerLaws(1, EPOCHS).predict(state)
    assert np.abs(predicted.mean[:30] - ends).max() < 0.02
    assert predicted.mean[30] == pytest.approx(ends.mean(), abs=0.05)
    assert predicted.deviation[30] > predicted.deviation[:30].max()


def test_the_last_value_by_hand() -> None:
    state = State(3, _points(3), [(0.1, 0.3, 0.4), (0.0, 0.2, 0.2), (0.2,)], [False] * 3, _points(1))
    predicted = LastValue(1, 3).predict(state)
    assert predicted.mean.tolist() == pytest.approx([0.4, 0.2, 0.2, 0.8 / 3])
    assert predicted.deviation[2:].tolist() == pytest.approx(
        [math.sqrt((0.3**2 + 0.2**2) / 2), float(np.std([0.4, 0.2, 0.2]))]
    )


def test_many_curves_are_those_of_the_table_with_little_noise(table: CurveTable) -> None:
    state = large_state(table, 50, seed=0)
    assert len(state.curves) == len(state.places[0]) == 50
    assert {len(curve) for curve in state.curves} == {EPOCHS}
    assert all(min(abs(c[-1] - runs[0].objective[-1]) for runs in table.curves) < 0.05 for c in state.curves)


def test_the_command_compares_all_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import bench

    monkeypatch.setattr(curve_models, "TABLES", ("grid-deep-x4",))
    monkeypatch.setattr(curve_models, "_BEGUN", (12,))
    file = tmp_path / "models.json"
    assert bench.main(["curve-models", "--quick", "--json", str(file)]) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    (one,) = result["curve-models"]["compared"]
    assert [row["model"] for row in one["models"]] == list(PREDICTORS)
    assert all(0 <= row["begun_covered"][0] <= 1 for row in one["models"])
    assert result["provenance"]["curve-models"]["n"] == "2 states of each table and size"
    assert "grid-deep-x4, 12 trials begun" in capsys.readouterr().out


def test_decisions_are_real_where_they_are_timed(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = Allocator.choose

    def counted(self: Allocator, *arguments: Any, **options: Any) -> Any:
        asked.append(len(self.known))
        return real(self, *arguments, **options)

    monkeypatch.setattr(Allocator, "choose", counted)
    (few, more) = decision_cost.measure(space, (10, 16), 2)
    assert (few["trials"], more["trials"]) == (10, 16)
    assert min(asked) >= 10  # a random choice stood for the model before
    for row in (few, more):
        for kind in ("free_worker", "report", "record"):
            assert row[kind]["n"] >= 1
            assert row[kind]["median"] > 0


def test_a_fed_search_has_trials_in_every_state() -> None:
    feed = decision_cost.Feed(load_space(ROOT / "search_spaces" / "default.yaml"), seed=0)
    feed.until(100)
    allocator = feed.pauses.allocator
    assert allocator.count("finished", "waiting", "failed", "running") == 100
    for state in ("finished", "waiting", "failed", "running"):
        assert allocator.count(state) > 0


def test_a_stopped_curve_counts_as_what_others_made_of_it() -> None:
    """By hand: three trials gain 0.1 and 0.2 from epoch to epoch; the stopped ones are carried along their lines."""
    whole = [{1: v, 2: v + 0.1, 3: v + 0.3} for v in (0.1, 0.2, 0.3)]
    values, noise = _at_the_end([*whole, {1: 0.25}, {1: 0.25, 2: 0.35}])
    np.testing.assert_allclose(values, [0.4, 0.5, 0.6, 0.55, 0.55], atol=1e-6)
    assert noise[0] == noise[1] == 0
    assert noise[3] > noise[4] > 0


def test_noisy_first_epochs_say_little() -> None:
    source = np.random.default_rng(0)
    ends = source.uniform(0, 1, 40)
    curves = [{1: float(source.normal()), 2: float(end), 3: float(end)} for end in ends]
    values, noise = _at_the_end([*curves, {1: 3.0}, {1: 0.0, 2: 0.9}])
    assert abs(values[-2] - ends.mean()) < 0.35
    assert noise[-2] > 10 * noise[-1]


def test_one_epoch_and_equal_values_are_no_trouble() -> None:
    values, noise = _at_the_end([{1: 0.5}, {1: 0.5}])
    np.testing.assert_allclose(values, 0.5)
    np.testing.assert_allclose(noise, 0)
    process = GaussianProcess(1)
    places = [np.array([[0.0], [1.0]])]
    process.fit(places, values, noise)
    mean, spread = process.predict(places)
    np.testing.assert_allclose(mean, 0.5)
    assert np.isfinite(spread).all()
