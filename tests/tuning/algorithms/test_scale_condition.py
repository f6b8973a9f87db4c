"""Every sampler draws a configuration for the scale that it will run at."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from srcnn.tuning.algorithms.study_searcher import SAMPLERS, StudySearcher
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.spec import TrialSpec

RATE = "parameters:\n  learning_rate: {type: float, low: 1.0e-6, high: 1.0, log: true, points: 9}\n"
SCALE = "  scale: {type: categorical, choices: [2, 3, 4]}\nconstants: {n2: 8}\n"
WIDTH = "  n1: {type: categorical, choices: [8, 16, 32, 64]}\n"

Worth = Callable[[Mapping[str, Any], random.Random], tuple[float, float]]


def monotone(params: Mapping[str, Any], source: random.Random) -> tuple[float, float]:
    """The best rate falls with the scale; the value with the squared logarithm of the distance. Value, |ln error|."""
    error = math.log(params["learning_rate"] / {2: 1e-2, 3: 1e-3, 4: 1e-4}[params["scale"]])
    return 1 - 0.05 * error**2 + source.gauss(0, 0.02), abs(error)


def crossed(params: Mapping[str, Any], source: random.Random) -> tuple[float, float]:
    """Highest at x3, with a kink; wide networks want lower rates and are better, and scales differ in level."""
    best = {2: 3e-4, 3: 3e-2, 4: 3e-5}[params["scale"]] * math.sqrt(16 / params["n1"])
    error = math.log(params["learning_rate"] / best)
    level = {2: 1.3, 3: 1.0, 4: 0.6}[params["scale"]] + 0.04 * math.log2(params["n1"] / 8)
    return level - 0.15 * abs(error) + source.gauss(0, 0.03), abs(error)


def make_space(folder: Path, width: str = "") -> Space:
    path = folder / "toy.yaml"
    path.write_text(RATE + width + SCALE, encoding="utf-8")
    return load_space(path)


def report(value: float, params: Mapping[str, Any]) -> dict[str, Any]:
    figures = {"objective": value, "best_objective": value, "macs": float(params.get("n1", 8))}
    return {**figures, "epoch": 2, "epochs": 2, "curve": [value / 2, value]}


def mean_error(space: Space, worth: Worth, kind: str, seeds: range, trials: int, **options: Any) -> float:
    """|ln error| of the rate of each scale's best trial, the mean over scales and seeds."""
    found = []
    for seed in seeds:
        searcher = StudySearcher(space, seed, {}, sampler=kind, epochs=2, **options)
        source = random.Random(1000 + seed)
        best: dict[int, tuple[float, float]] = {}
        for i in range(trials):
            asked = searcher.suggest(str(i))
            assert isinstance(asked, dict)
            value, error = worth(TrialSpec.from_tune(asked).params, source)
            searcher.on_trial_complete(str(i), report(value, TrialSpec.from_tune(asked).params))
            best[TrialSpec.from_tune(asked).scale] = max(
                best.get(TrialSpec.from_tune(asked).scale, (-math.inf, 0.0)), (value, error)
            )
        found.append(statistics.fmean(error for _, error in best.values()))
    return statistics.fmean(found)


@pytest.mark.parametrize("kind", [name for name in SAMPLERS if name != "grid"])
@pytest.mark.parametrize("objectives", [("gain",), ("gain", "macs")])
def test_a_joint_sample_is_drawn_for_the_scale_of_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, objectives: tuple[str, ...]
) -> None:
    if kind == "cmaes" and len(objectives) > 1:
        pytest.skip("settings refuse CMA-ES with several objectives")
    space = make_space(tmp_path, WIDTH)
    searcher = StudySearcher(space, 1, {}, sampler=kind, objectives=objectives)
    drawn: list[tuple[dict[str, Any], set[int]]] = []

    def watch(owner: type[BaseSampler]) -> None:
        real = owner.sample_relative

        def sample(self: Any, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            known = {t.params["scale"] for t in study.trials if t.number != trial.number and "scale" in t.params}
            values = real(self, study, trial, search_space)
            if values:
                drawn.append((values, known))
            return values

        monkeypatch.setattr(owner, "sample_relative", sample)

    for owner in {type(study.sampler) for study, _ in searcher._asked.values()}:
        watch(owner)
    source, joint = random.Random(0), 0
    for i in range(21):  # six of each scale are drawn at random
        drawn.clear()
        asked = searcher.suggest(str(i))
        assert isinstance(asked, dict)
        searcher.on_trial_complete(
            str(i), report(crossed(TrialSpec.from_tune(asked).params, source)[0], TrialSpec.from_tune(asked).params)
        )
        for values, known in drawn:
            joint += 1
            # Either the scale is part of the draw, and the right one, or nothing of another scale is known to the sampler.
            assert (
                values["scale"] == TrialSpec.from_tune(asked).scale
                if "scale" in values
                else known <= {TrialSpec.from_tune(asked).scale}
            )
    assert joint > 0 or kind in (
        "random",
        "curves",
    )  # with one objective, the model of curves is not a sampler of Optuna's


@pytest.mark.parametrize(
    ("worth", "width", "options"),
    [(monotone, "", {}), (crossed, WIDTH, {}), (crossed, WIDTH, {"objectives": ("gain", "macs")})],
)
def test_tpe_learns_a_best_rate_that_depends_on_the_scale(
    tmp_path: Path, worth: Worth, width: str, options: dict[str, Any]
) -> None:
    space = make_space(tmp_path, width)
    ours, chance = (mean_error(space, worth, kind, range(20), 60, **options) for kind in ("tpe", "random"))
    assert ours < 0.85 * chance


def test_curves_and_the_gaussian_process_learn_it_best(tmp_path: Path) -> None:
    space = make_space(tmp_path)
    chance = mean_error(space, monotone, "random", range(20), 30)
    assert mean_error(space, monotone, "curves", range(20), 30) < 0.5 * chance
    assert mean_error(space, monotone, "gp", range(1), 30) < 0.6 * chance


@pytest.mark.parametrize("kind", ["tpe", "gp", "cmaes"])
def test_the_study_over_all_scales_has_every_trial_as_it_ended(tmp_path: Path, kind: str) -> None:
    space = make_space(tmp_path, WIDTH)
    given = {"learning_rate": 1e-3, "n1": 16, "scale": 4}
    searcher = StudySearcher(space, 1, {}, [given], 1, kind)
    asked = [searcher.suggest(str(i)) for i in range(6)]
    assert isinstance(asked[0], dict) and TrialSpec.from_tune(asked[0]).params == given
    whole = report(1.0, {})
    searcher.on_trial_complete("0", whole)
    searcher.on_trial_result("1", {**whole, "epoch": 1, "epochs": 3, "curve": [0.5]})
    searcher.on_trial_complete("1", {**whole, "epochs": 3})
    searcher.on_trial_complete("2", error=True)
    searcher.on_trial_complete("3", {**whole, "objective": -1000.0})
    told = {t.user_attrs["trial_id"]: t for t in searcher.study.trials if "trial_id" in t.user_attrs}
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    assert [told[str(i)].state for i in range(6)] == [*states, TrialState.RUNNING, TrialState.RUNNING]
    assert told["1"].intermediate_values == {1: 0.5, 2: 1.0}
    assert [told[str(i)].params for i in range(6)] == [
        TrialSpec.from_tune(a).params for a in asked if isinstance(a, dict)
    ]
    assert told["0"].distributions == {name: p.distribution for name, p in space.parameters.items()}
    alike = {
        t.user_attrs["trial_id"]: t for s, _ in searcher._asked.values() for t in s.trials if "trial_id" in t.user_attrs
    }
    assert {i: (t.state, t.params, t.intermediate_values) for i, t in alike.items()} == {
        i: (t.state, t.params, t.intermediate_values) for i, t in told.items()
    }


@pytest.mark.parametrize("kind", ["tpe", "gp", "cmaes"])
def test_a_restored_searcher_goes_on_at_every_scale(tmp_path: Path, kind: str) -> None:
    space, source = make_space(tmp_path), random.Random(0)
    ours = StudySearcher(space, 1, {}, sampler=kind)
    for i in range(22):
        asked = ours.suggest(str(i))
        assert isinstance(asked, dict)
        if i < 21:  # one runs at the moment of the snapshot
            ours.on_trial_complete(
                str(i),
                report(monotone(TrialSpec.from_tune(asked).params, source)[0], TrialSpec.from_tune(asked).params),
            )
    ours.save(str(tmp_path / "snapshot"))
    theirs = StudySearcher(space, 1, {}, sampler=kind)
    theirs.restore(str(tmp_path / "snapshot"))
    for searcher in (ours, theirs):
        searcher.on_trial_complete("21", report(0.5, {}))
    assert [ours.suggest(f"n{i}") for i in range(3)] == [theirs.suggest(f"n{i}") for i in range(3)]
    assert len(theirs.study.trials) == len(ours.study.trials)


@pytest.mark.parametrize("kind", ["tpe", "cmaes"])
def test_no_configuration_runs_twice_and_all_scales_are_used_up(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(f"parameters:\n{WIDTH}{SCALE}", encoding="utf-8")
    searcher = StudySearcher(load_space(path), 1, {}, sampler=kind)
    seen = []
    for i in range(20):
        asked = searcher.suggest(str(i))
        if not isinstance(asked, dict):
            break
        seen.append((TrialSpec.from_tune(asked).params["n1"], TrialSpec.from_tune(asked).scale))
        searcher.on_trial_complete(str(i), report(0.1, TrialSpec.from_tune(asked).params))
    assert len(seen) == len(set(seen)) == 12
