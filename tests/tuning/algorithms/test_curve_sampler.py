"""The sampler over curves learns from stopped trials, keeps the order of numbers and asks for nothing that cannot run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from srcnn.tuning.algorithms.curve_sampler import Axes, CurveSampler, _at_the_end
from srcnn.tuning.algorithms.gaussian_process import GaussianProcess
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.spec import TrialSpec

from checkout import SPACES


def search(space: Space, worth: Callable[[Mapping[str, Any]], float], trials: int, seed: int, kind: str) -> float:
    """The best of a search in which every trial runs to its end."""
    searcher = StudySearcher(space, seed, {}, sampler=kind)
    best = -math.inf
    for i in range(trials):
        asked = searcher.suggest(str(i))
        if not isinstance(asked, dict):
            break
        value = worth(TrialSpec.from_tune(asked).params)
        best = max(best, value)
        report = {"objective": value, "best_objective": value, "epoch": 2, "epochs": 2, "curve": [value / 2, value]}
        searcher.on_trial_complete(str(i), report)
    return best


def worth(params: Mapping[str, Any]) -> float:
    rate = -abs(math.log(float(params["learning_rate"]) / 5e-4))
    width = 0.3 * math.log2(sum(float(params.get(f"n{i}", 0)) for i in range(1, 6)))
    return rate + width - 0.05 * float(params.get("f2", 3)) - 0.1 * int(params["scale"])


@pytest.mark.parametrize("name", ["default.yaml", "deep.yaml", "layers.yaml", "wide.yaml", "replay.yaml"])
def test_it_beats_random_search_in_every_kind_of_space(name: str) -> None:
    space = load_space(SPACES / name)
    if "scale" not in space.parameters:
        space = space.restrict_scales((3,))
    ours, theirs = (
        statistics.median(search(space, worth, 24, seed, kind) for seed in range(4)) for kind in ("curves", "random")
    )
    assert ours > theirs


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


def test_numbers_keep_their_order_and_lists_of_sizes_their_places(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  n1: {type: categorical, choices: [32, 128, 64]}\n"
        "  kernels: {type: categorical, choices: [9-1-5, 9-5-5, 11-1-5]}\n"
        "  optimizer: {type: categorical, choices: [adam, sgd, muon]}\n",
        encoding="utf-8",
    )
    rows = [
        {"n1": n, "kernels": k, "optimizer": o}
        for n, k, o in ((32, "9-1-5", "adam"), (128, "9-5-5", "sgd"), (64, "11-1-5", "muon"))
    ]
    n1, kernels, optimizer = Axes(load_space(path)).places(rows)
    np.testing.assert_allclose(n1[:, 0], [0, 1, 0.5])
    np.testing.assert_allclose(kernels, [[0, 0], [0, 1], [1, 0]])  # the last size never changes, so it has no axis
    apart = np.linalg.norm(optimizer[:, None] - optimizer[None], axis=-1)
    np.testing.assert_allclose(apart, 1 - np.eye(3))


def test_constraints_fixed_scales_and_conditions_are_kept() -> None:
    space = load_space(SPACES / "layers.yaml")
    searcher = StudySearcher(space, 1, {}, sampler="curves")
    scales = []
    for i in range(24):
        asked = searcher.suggest(str(i))
        assert isinstance(asked, dict)
        assert set(TrialSpec.from_tune(asked).params) == {
            name for name in space.parameters if space.exists(name, TrialSpec.from_tune(asked).params)
        }
        assert not space.constraints.broken_by(space.to_config(TrialSpec.from_tune(asked).params))
        scales.append(TrialSpec.from_tune(asked).scale)
        value = worth(TrialSpec.from_tune(asked).params)
        report = {"objective": value, "best_objective": value, "epoch": 1, "epochs": 2, "curve": [value]}
        searcher.on_trial_complete(str(i), report)
    assert [scales.count(s) for s in (2, 3, 4)] == [8, 8, 8]
    asked_for_nothing = [t for t in searcher.study.trials if "skipped" in t.user_attrs]
    assert len(asked_for_nothing) <= 12  # those of the random beginning, whose scale was fixed


def test_the_neighbours_of_failed_trials_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "parameters:\n  learning_rate: {type: float, low: 1.0e-4, high: 1.0, log: true}\n", encoding="utf-8"
    )
    searcher = StudySearcher(load_space(path), 1, {}, sampler="curves")
    late = []
    for i in range(40):
        asked = searcher.suggest(str(i))
        assert isinstance(asked, dict)
        rate = TrialSpec.from_tune(asked).config.learning_rate
        if rate > 0.05:
            searcher.on_trial_complete(str(i), error=True)
        else:
            value = math.log(rate)
            report = {"objective": value, "best_objective": value, "epoch": 2, "epochs": 2, "curve": [value, value]}
            searcher.on_trial_complete(str(i), report)
        late += [rate] if i >= 20 else []
    assert sum(rate > 0.2 for rate in late) <= 2
    assert max(rate for rate in late if rate <= 0.05) > 0.02


def test_workers_that_ask_at_once_are_told_different_things() -> None:
    space = load_space(SPACES / "replay.yaml")
    searcher = StudySearcher(space, 1, {}, sampler="curves")
    for i in range(8):
        asked = searcher.suggest(str(i))
        assert isinstance(asked, dict)
        report = {"objective": i / 9, "best_objective": i / 9, "epoch": 2, "epochs": 2, "curve": [0.1, i / 9]}
        searcher.on_trial_complete(str(i), report)
    asked_at_once = [searcher.suggest(f"w{i}") for i in range(20)]
    assert len({str(TrialSpec.from_tune(a).params) for a in asked_at_once if isinstance(a, dict)}) == 20


def test_a_restored_searcher_goes_on_as_the_first_would_have(tmp_path: Path) -> None:
    space = load_space(SPACES / "default.yaml")
    ours = StudySearcher(space, 1, {}, sampler="curves")
    for i in range(12):
        asked = ours.suggest(str(i))
        assert isinstance(asked, dict)
        value = worth(TrialSpec.from_tune(asked).params)
        report = {"objective": value, "best_objective": value, "epoch": 2, "epochs": 2, "curve": [0.1, value]}
        ours.on_trial_complete(str(i), report)
    ours.save(str(tmp_path / "snapshot"))
    theirs = StudySearcher(space, 1, {}, sampler="curves")
    theirs.restore(str(tmp_path / "snapshot"))
    assert [ours.suggest(f"n{i}") for i in range(3)] == [theirs.suggest(f"n{i}") for i in range(3)]


def test_a_long_search_learns_from_a_bounded_number_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    fit = GaussianProcess.fit

    def counted(self: GaussianProcess, places: list[Any], values: Any, noise: Any) -> None:
        sizes.append(len(values))
        fit(self, places, values, noise)

    monkeypatch.setattr("srcnn.tuning.algorithms.curve_sampler._MOST", 30)
    monkeypatch.setattr(GaussianProcess, "fit", counted)
    space = load_space(SPACES / "default.yaml")
    assert search(space, worth, 60, 1, "curves") > 0
    assert max(sizes) == 30


def test_a_study_that_minimizes_is_searched_downwards() -> None:
    space = load_space(SPACES / "replay.yaml")
    study = optuna.create_study(direction="minimize", sampler=CurveSampler(space, 0))
    for _ in range(20):
        trial = study.ask()
        params = space.suggest(trial)
        value = float(str(params["n1"])) / 32 - 1000 * float(str(params["learning_rate"]))
        trial.report(value, 1)
        study.tell(trial, value)
    assert study.best_value == pytest.approx(0.0)
    assert all(t.state == TrialState.COMPLETE for t in study.trials)


def test_several_objectives_take_tpe() -> None:
    space = load_space(SPACES / "replay.yaml")
    searcher = StudySearcher(space, 1, {}, sampler="curves", objectives=("gain", "macs"))
    assert isinstance(searcher.study.sampler, optuna.samplers.TPESampler)
