"""The allocator: finishes what is worth it, repeats nothing, and treats scales apart."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from srcnn.tuning.algorithms.allocator import Allocator, KnownTrial, State, epochs_share
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.past import PastTrial

from space_text import write

SPACE = """
parameters:
  n1: {type: categorical, choices: [8, 16, 32, 64]}
  kernels: {type: categorical, choices: [9-1-5, 9-3-5, 9-5-5]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
constants:
  scale: 3
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return load_space(write(tmp_path, SPACE))


def curve(end: float, epochs: int = 9) -> tuple[float, ...]:
    return tuple((end * (1.0 - 0.5 * 0.6 ** np.arange(epochs))).tolist())


def params(n1: int, kernels: str = "9-1-5", rate: float = 3e-4) -> dict[str, Value]:
    return {"n1": n1, "kernels": kernels, "learning_rate": rate}


def known(allocator: Allocator, name: str, state: State, seen: tuple[float, ...], values: dict[str, Value]) -> None:
    allocator.begin(name, KnownTrial(values, 3, 1e4))
    allocator.note(name, seen, 1.0)
    allocator.change(name, state)


def test_the_first_trials_are_drawn_at_random(space: Space) -> None:
    option = Allocator(space, 0, 9).choose(3, True)
    assert option is not None
    assert (option.trial, option.by) == (None, "random")


def test_a_promising_trial_continues_and_a_poor_one_waits(space: Space) -> None:
    allocator = Allocator(space, 0, 9)
    known(allocator, "done", "finished", curve(0.5), params(8))
    known(allocator, "poor", "waiting", curve(0.2, 4), params(16))
    known(allocator, "good", "waiting", curve(0.9, 4), params(32))
    option = allocator.choose(3, begin=False)
    assert option is not None
    assert option.trial == "good"
    assert option.best_trial == "done"
    assert option.predicted is not None
    assert option.best is not None
    assert option.predicted > option.best
    assert option.rivals == 2


def test_nothing_is_worth_it_after_enough_have_finished(space: Space) -> None:
    allocator = Allocator(space, 0, 9)
    for i, n1 in enumerate((8, 16, 32)):
        known(allocator, f"done{i}", "finished", curve(0.9 + 0.01 * i), params(n1))
        known(allocator, f"low{i}", "finished", curve(0.3), params(n1, "9-3-5"))
    known(allocator, "poor", "waiting", curve(0.1, 8), params(64, "9-3-5"))
    assert allocator.choose(3, begin=False) is None


def test_no_near_twin_of_a_trial_is_begun(space: Space) -> None:
    """Of 40 configurations that begin one after another, no two are one architecture at rates within a tenth of the range."""
    allocator = Allocator(space, 1, 9)
    source = np.random.default_rng(0)
    for i in range(40):
        option = allocator.choose(3, True)
        assert option is not None
        if option.trial is None:
            end = 0.5 + 0.1 * (option.params["kernels"] == "9-5-5") + 0.02 * source.standard_normal()
            known(allocator, str(i), "finished", curve(end), dict(option.params))
    by_model = list(allocator.known.values())
    kinds = Counter((t.params["n1"], t.params["kernels"]) for t in by_model)
    assert len(kinds) >= 8
    for kind in kinds:
        rates = sorted(
            np.log10(float(str(t.params["learning_rate"])))
            for t in by_model
            if (t.params["n1"], t.params["kernels"]) == kind
        )
        close = sum(b - a < 0.1 for a, b in itertools.pairwise(rates))
        assert close <= 1  # only a random draw may come close


def test_a_refused_configuration_is_not_chosen_again(space: Space) -> None:
    allocator = Allocator(space, 1, 9)
    chosen = set()
    for _ in range(20):
        option = allocator.choose(3, True)
        assert option is not None
        chosen.add(tuple(option.params.values()))
        allocator.refuse(option.params)
    assert len(chosen) == 20


def test_past_curves_say_where_to_begin(space: Space) -> None:
    source = np.random.default_rng(0)
    kinds = ("9-1-5", "9-3-5", "9-5-5")
    past = [
        PastTrial(
            params(n1, kernels, rate), 3, curve(0.3 + 0.3 * (kernels == "9-5-5") + 0.01 * source.standard_normal()),
            9, 1e6, 9.0, failed=False, source="before",
        )
        for n1 in (8, 16, 32, 64) for kernels in kinds for rate in (2e-4, 6e-4)
    ]  # fmt: skip
    allocator = Allocator(space, 0, 9, past)
    begun = []
    for i in range(4):
        option = allocator.choose(3, True)
        assert option is not None
        begun.append(option.params["kernels"])
        known(allocator, str(i), "finished", curve(0.6 if begun[-1] == "9-5-5" else 0.3), dict(option.params))
    assert begun.count("9-5-5") >= 3


def test_before_a_long_confirmation_a_costly_trial_is_not_put_off_for_a_cheap_one(space: Space) -> None:
    """Two trials wait, the better one with thirty times the time to go: it continues first if much training follows."""
    chosen = {}
    for later in (0.0, 100.0):
        allocator = Allocator(space, 0, 9, later=later)
        known(allocator, "done", "finished", curve(0.5), params(8))
        known(allocator, "cheap", "waiting", curve(0.62, 4), params(16))
        known(allocator, "costly", "waiting", curve(0.75, 4), params(32))
        allocator.known["costly"].seconds *= 30
        option = allocator.choose(3, begin=False)
        assert option is not None
        chosen[later] = option.trial
    assert chosen == {0.0: "cheap", 100.0: "costly"}


def test_the_more_training_follows_the_fewer_epochs_are_left_out() -> None:
    assert epochs_share(0.0) == 0.5
    assert epochs_share(1.0) == 0.75
    assert epochs_share(99.0) == 0.995
