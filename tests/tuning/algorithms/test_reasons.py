"""What a searcher keeps about its decisions."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from srcnn.tuning.algorithms.allocator import Allocator, Option
from srcnn.tuning.algorithms.reasons import Reasons
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.spec import TrialSpec

from checkout import SPACES


def test_a_decision_keeps_what_the_model_believed() -> None:
    reasons = Reasons()
    reasons.names["a"] = "9-1-5"
    reasons.keep("b", "start", 0, Option(None, {}, "model", 0.7, 0.1, 0.6, "a", 0.02, 3))
    reasons.keep("b", "pause", 2, Option(None, {}, "model", 0.9, 0.1, 0.6, "a", 0.02, 3), instead="9-5-5")
    reasons.keep("c", "start", 0, None)
    start, pause = reasons.of("b")
    assert (start.kind, start.by, start.predicted, start.spread, start.best) == ("start", "model", 0.7, 0.1, 0.6)
    assert (start.best_name, start.value, start.rivals) == ("9-1-5", 0.02, 3)
    # What was predicted then is of the other configuration.
    assert (pause.predicted, pause.best, pause.instead) == (None, 0.6, "9-5-5")
    assert [one.by for one in reasons.of("c")] == ["given"]
    assert not reasons.of("d")
    assert pickle.loads(pickle.dumps(reasons)).of("b") == [start, pause]


def test_a_search_without_pauses_says_why_it_began_its_trials(tmp_path: Path) -> None:
    space = load_space(SPACES / "replay.yaml")
    searcher = StudySearcher(space, 1, {}, [next(iter(space.grid()))], sampler="curves", epochs=2)
    for i in range(12):
        asked = searcher.suggest(str(i))
        assert isinstance(asked, dict)
        value = float(TrialSpec.from_tune(asked).config.learning_rate)
        report = {"objective": value, "best_objective": value, "epoch": 2, "epochs": 2, "curve": [value / 2, value]}
        searcher.on_trial_complete(str(i), report)
    found = [searcher.reasons.of(str(i)) for i in range(12)]
    assert all([one.kind for one in of] == ["start"] for of in found)
    assert found[0][0].by == "given"
    assert {of[0].by for of in found[1:]} == {"random", "model"}
    by_model = next(of[0] for of in found if of[0].by == "model")
    assert by_model.predicted is not None
    assert by_model.best is not None
    assert by_model.best_name
    searcher.save(str(tmp_path / "state"))
    other = StudySearcher(space, 1, {}, sampler="curves", epochs=2)
    other.restore(str(tmp_path / "state"))
    assert [other.reasons.of(str(i)) for i in range(12)] == found


def test_what_the_model_did_not_choose_is_said_to_be_random(monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space(SPACES / "replay.yaml")
    searcher = StudySearcher(space, 1, {}, [next(iter(space.grid()))], sampler="curves", epochs=2)
    monkeypatch.setattr(Allocator, "choose", lambda *_, **__: None)
    for name in ("given", "drawn"):
        assert isinstance(searcher.suggest(name), dict)
    # The model proposes again what has run, until configurations are drawn at random.
    ran = Option(None, next(iter(space.grid())), "model", 0.7)
    monkeypatch.setattr(Allocator, "choose", lambda *_, **__: ran)
    assert isinstance(searcher.suggest("drawn too"), dict)
    found = [searcher.reasons.of(name)[0] for name in ("given", "drawn", "drawn too")]
    assert [(one.by, one.predicted) for one in found] == [("given", None), ("random", None), ("random", None)]
