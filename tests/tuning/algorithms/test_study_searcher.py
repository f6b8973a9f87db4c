"""The searcher tells Optuna what really happened, spreads trials over the scales, and survives its snapshot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.objective import FAILED
from srcnn.tuning.trials.spec import TrialSpec

from checkout import SPACES

DEFAULT = SPACES / "default.yaml"


def searcher(space: Space | None = None, **options: Any) -> StudySearcher:
    return StudySearcher(space or load_space(DEFAULT), 1, {"pixels": 1e6}, **options)


def report(epoch: int, curve: list[float], epochs: int = 9) -> dict[str, Any]:
    return {"objective": curve[-1], "epoch": epoch, "epochs": epochs, "curve": curve, "best_objective": max(curve)}


def test_finished_stopped_and_failed_trials_are_told_apart() -> None:
    search = searcher()
    for name in "abcd":
        search.suggest(name)
    search.on_trial_result("a", report(1, [0.1], epochs=2))
    search.on_trial_complete("a", report(2, [0.1, 0.3], epochs=2))
    # Tune keeps the report at which it stops a trial to itself: the curve must still arrive whole.
    search.on_trial_result("b", report(1, [0.2]))
    search.on_trial_complete("b", report(2, [0.2, 0.25]))
    search.on_trial_complete("c", {"objective": FAILED, "epoch": 1, "epochs": 9, "curve": []})
    search.on_trial_complete("d", error=True)
    trials = {t.user_attrs["trial_id"]: t for t in search.study.trials}
    assert trials["a"].state == TrialState.COMPLETE
    assert trials["a"].value == 0.3
    assert trials["b"].state == TrialState.PRUNED
    assert trials["b"].intermediate_values == {1: 0.2, 2: 0.25}
    assert trials["c"].state == trials["d"].state == TrialState.FAIL


def test_trials_are_spread_evenly_over_the_scales() -> None:
    search = searcher()
    suggestions = [search.suggest(str(i)) for i in range(20)]
    counts = Counter(TrialSpec.from_tune(s).scale for s in suggestions if isinstance(s, dict))
    assert sorted(counts.values()) == [6, 7, 7]


def test_the_first_configurations_run_first_and_are_marked() -> None:
    first = [{"n1": 64, "n2": 32, "kernels": "9-1-5", "learning_rate": 5e-4, "scale": s} for s in (2, 3, 4)]
    search = searcher(first=first, references=3)
    suggestions = [search.suggest(str(i)) for i in range(5)]
    assert [TrialSpec.from_tune(s).params for s in suggestions[:3] if isinstance(s, dict)] == first
    assert [TrialSpec.from_tune(s).reference for s in suggestions if isinstance(s, dict)] == [True] * 3 + [False] * 2


def test_a_configuration_never_runs_twice_and_a_small_space_ends(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text("parameters:\n  n1: {type: categorical, choices: [8, 16, 32]}\n", encoding="utf-8")
    search = searcher(load_space(path))
    given = []
    for i in range(4):
        suggestion = search.suggest(str(i))
        if isinstance(suggestion, dict):
            given.append(TrialSpec.from_tune(suggestion).config.filters[0])
            search.on_trial_complete(str(i), report(9, [0.1 * i] * 9))
    assert sorted(given) == [8, 16, 32]
    assert suggestion == Searcher.FINISHED


def test_a_restored_searcher_goes_on_as_the_first_would_have(tmp_path: Path) -> None:
    ours = searcher()
    for i in range(12):
        ours.suggest(str(i))
        ours.on_trial_complete(str(i), report(9, [i / 10] * 9))
    ours.suggest("running")
    ours.save(str(tmp_path / "snapshot"))
    theirs = searcher()
    theirs.restore(str(tmp_path / "snapshot"))
    for search in (ours, theirs):
        search.on_trial_complete("running", report(3, [0.1, 0.2, 0.3]))
    assert ours.suggest("next") == theirs.suggest("next")
    assert [t.state for t in ours.study.trials] == [t.state for t in theirs.study.trials]


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_search_alike(seed: int) -> None:
    a, b = (StudySearcher(load_space(DEFAULT), seed, {"pixels": 1e6}) for _ in range(2))
    assert [a.suggest(str(i)) for i in range(6)] == [b.suggest(str(i)) for i in range(6)]
