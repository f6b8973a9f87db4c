"""Past searches out of MLflow in the terms of a new space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.curves import learn_from as module
from srcnn.tuning.curves.learn_from import counted_by_search, learn_from, overlapping, translated
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.tracking.tracker import flat_params
from srcnn.tuning.trials.past import PastTrial

from checkout import SPACES
from past_store import PastStore


def test_trials_are_read_with_curve_cost_and_budget(past_store: PastStore) -> None:
    past_store.open("a")
    past_store.trial("t0", [0.1 * e for e in range(1, 10)])
    past_store.trial("t1", [0.3, 0.4], "stopped", kernels=(5, 3, 3), filters=(16, 8), scale=2, seed=7)
    past_store.trial("t2", [0.2], "failed", learning_rate=1e-3)
    past_store.trial("t3", [0.2], "finished", stage="confirm")
    past_store.trial("t4", [0.2], "finished", filters=(32, 8))  # n1 is outside of the space
    past_store.trial("t5", [0.2], "finished", batch_size=4)  # a field that the space does not vary
    past_store.trial("t6", [], None)  # nothing is known of it
    past_store.close()
    learnt = learn_from(("a",), past_store.space(), past_store.uri)
    values: Mapping[str, Any] = {"n1": 8, "n2": 4, "kernels": "5-1-3", "learning_rate": 5e-4, "scale": 3}
    assert learnt.trials == (
        PastTrial(values, 3, tuple(0.1 * e for e in range(1, 10)), 9, 900.0, 18.0, False, "a"),
        PastTrial(
            {**values, "n1": 16, "n2": 8, "kernels": "5-3-3", "scale": 2}, 2, (0.3, 0.4), 9, 900.0, 4.0, False, "a"
        ),
        PastTrial({**values, "learning_rate": 1e-3}, 3, (0.2,), 9, 900.0, 2.0, True, "a"),
    )
    assert (learnt.skipped, learnt.text) == (2, "a (3 trials)")


def test_an_accident_says_nothing_about_a_configuration(past_store: PastStore) -> None:
    past_store.open("a")
    past_store.trial("t0", [0.5], None)
    past_store.tracker.end_trial("t0", "FAILED", {"outcome": "failed", "failure": "worker lost"})
    past_store.close()
    (trial,) = learn_from(("a",), past_store.space(), past_store.uri).trials
    assert (trial.failed, trial.curve) == (False, (0.5,))


def test_all_means_every_ended_search_that_overlaps_but_not_the_search_itself(past_store: PastStore) -> None:
    space = past_store.space()
    for name in ("other", "old", "new", "mine"):
        filters = (32, 8) if name == "other" else (8, 4)
        past_store.open(name)
        past_store.trial(f"{name}-0", [0.1], filters=filters)
        past_store.trial(f"{name}-1", [0.1], filters=filters)
        past_store.close("KILLED" if name == "old" else "FINISHED")
    past_store.open("running")
    past_store.trial("running-0", [0.1])
    past_store.tracker.flush(10)
    learnt = learn_from(("all",), space, past_store.uri, "mine")
    assert learnt.sources == overlapping(space, past_store.uri, "mine") == {"new": 2, "old": 2}
    assert (learnt.text, learnt.skipped) == ("new (2 trials), old (2)", 0)
    assert learn_from(("old", "running"), space, past_store.uri, "mine").sources == {"running": 1, "old": 2}


def test_a_search_that_cannot_be_learnt_from_is_refused(past_store: PastStore) -> None:
    space = past_store.space()
    with pytest.raises(ConfigError, match=r"^learn_from: there is no past search \(in sqlite"):
        learn_from(("a",), space, past_store.uri)
    assert learn_from(("all",), space, past_store.uri).trials == ()
    past_store.open("deep")
    past_store.trial("t0", [0.1], kernels=(5, 3, 3, 3), filters=(8, 8, 8))
    past_store.close()
    with pytest.raises(ConfigError, match=r"^learn_from: search 'depe' does not exist; did you mean 'deep'\?"):
        learn_from(("depe",), space, past_store.uri)
    with pytest.raises(
        ConfigError, match=r"^learn_from: deep must have a trial that lies in the space .*space.yaml, but all 1"
    ):
        learn_from(("deep",), space, past_store.uri)
    assert learn_from(("all",), space, past_store.uri).trials == ()
    assert overlapping(space, past_store.uri) == {}


def test_a_store_that_does_not_exist_has_no_past(past_store: PastStore) -> None:
    uri = f"sqlite:///{past_store.folder / 'none.db'}"
    assert overlapping(past_store.space(), uri) == {}
    assert learn_from(("all",), past_store.space(), uri).trials == ()
    with pytest.raises(SearchError, match="there is no store"):
        learn_from(("a",), past_store.space(), uri)
    assert not (past_store.folder / "none.db").exists()


def test_a_server_gives_the_same_as_its_database(past_store: PastStore, monkeypatch: pytest.MonkeyPatch) -> None:
    past_store.open("a")
    past_store.trial("t0", [0.1, 0.2])
    past_store.trial("t1", [0.2], "failed", scale=2)
    past_store.close()
    space = past_store.space()
    straight = learn_from(("all",), space, past_store.uri)
    monkeypatch.setattr(module, "columns_of_runs", lambda *_, **__: None)
    assert learn_from(("all",), space, past_store.uri) == straight
    assert len(straight.trials) == 2


@pytest.mark.parametrize("name", ["default", "wide", "deep", "layers", "subpixel"])
def test_every_configuration_of_a_space_lies_in_it(name: str) -> None:
    import random

    space, source, found = load_space(SPACES / f"{name}.yaml"), random.Random(1), 0
    for _ in range(40):
        values = space.draw(source)
        try:
            config = space.to_config(values, pixels=8e6, epoch_pixels=8e6 / 9, seed=3)
        except ConfigError:
            continue
        if space.constraints.broken_by(config):
            assert translated(space, flat_params(config)) is None
            continue
        made = translated(space, flat_params(config))
        assert made is not None
        assert space.to_config(made[0]) == space.to_config(values)
        found += 1
    assert found > 3


def test_a_wider_space_holds_the_trials_of_a_narrower_one_and_no_others(past_store: PastStore) -> None:
    deep = load_space(SPACES / "deep.yaml")
    chain: dict[str, Any] = {
        "kernels": (5, 3, 3, 5),
        "filters": (64, 32, 32),
        "upsampling": "pixel_shuffle",
        "padding": "zeros",
    }
    chain |= {"weight_decay": 0.03, "reduced_copies": 2}  # as the space fixes them
    made = translated(deep, flat_params(TrainConfig(**chain)))
    assert made is not None
    assert made[0] == {
        "depth": 4,
        "n1": 64,
        "n_rest": 32,
        "f1": 5,
        "f_rest": 3,
        "f_last": 5,
        "activation": "relu",
        "loss": "mse",
        "ema": 0.0,
        "expansion": 0,
        "learning_rate": 5e-4,
        "batch_size": 8,
        "patch_size": 60,
        "late_patch_size": None,
        "scale": 3,
    }
    uneven = {**chain, "filters": (64, 32, 48)}
    others: tuple[dict[str, Any], ...] = ({"padding": "replicate"}, {"learning_rate": 5e-3}, {"weight_decay": 0.0})
    for other in (uneven, *({**chain, **fields} for fields in others)):
        assert translated(deep, flat_params(TrainConfig(**other))) is None
    heavy = {**chain, "filters": (64, 48, 48), "kernels": (5, 5, 5, 5)}  # more weights than the space allows
    assert translated(deep, flat_params(TrainConfig(**heavy))) is None
    assert translated(deep, {"kernels": "5-3", "filters": "what"}) is None


def test_a_choice_stands_for_the_same_number_of_another_type(past_store: PastStore) -> None:
    space = past_store.space("parameters:\n  warmup: {type: categorical, choices: [0, 0.02]}\n")
    made = translated(space, flat_params(TrainConfig(warmup=0.0, layer_rates=(1, 1e-5, 0.1))))
    assert made is None  # the factors differ
    made = translated(space, flat_params(TrainConfig(warmup=0.0)))
    assert made is not None
    assert made[0] == {"warmup": 0}


def test_numbers_of_trials_in_words() -> None:
    assert counted_by_search({"a": 48, "b": 12}) == "a (48 trials), b (12)"
    assert counted_by_search({"a": 1}) == "a (1 trial)"
    assert counted_by_search({}) == ""
