"""Parameters: grids, draws and membership agree with Optuna's distributions."""

from __future__ import annotations

import random

import optuna
import pytest
from pydantic import ValidationError

from srcnn.tuning.space.parameter import (
    Categorical,
    Float,
    Integer,
    Parameter,
    contains,
    count_points,
    describe,
    draw,
    ends,
    points,
    suggest,
)

RATE = Float(type="float", low=1e-4, high=1e-2, log=True, points=3)
WIDTH = Integer(type="int", low=8, high=64, step=8)
POWER = Integer(type="int", low=1, high=64, log=True)
KIND = Categorical(type="categorical", choices=("9-1-5", 8, True, None))
ALL = [RATE, WIDTH, POWER, KIND]


def test_grids_hold_both_ends() -> None:
    assert points(RATE) == pytest.approx((1e-4, 1e-3, 1e-2))
    assert points(Float(type="float", low=0.0, high=1.0)) == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert points(WIDTH) == (8, 16, 24, 32, 40, 48, 56, 64)
    assert points(KIND) == KIND.choices and ends(WIDTH) == (8, 64)


@pytest.mark.parametrize("parameter", ALL, ids=lambda p: type(p).__name__)
def test_draws_and_suggestions_lie_inside(parameter: Parameter) -> None:
    source = random.Random(1)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(200):
        assert contains(parameter, draw(source, parameter))
        assert contains(parameter, suggest(study.ask(), "x", parameter))


def test_a_value_of_another_type_is_outside() -> None:
    assert not contains(WIDTH, 8.0) and not contains(WIDTH, 9) and not contains(WIDTH, True)
    assert contains(RATE, 1e-3) and not contains(RATE, "1e-3") and not contains(RATE, 0.1)
    assert contains(KIND, 8) and not contains(KIND, 8.0) and not contains(KIND, 1)


def test_what_is_allowed_is_said_in_words() -> None:
    assert describe(WIDTH) == "from 8 to 64 in steps of 8"
    assert describe(RATE) == "from 0.0001 to 0.01"
    assert describe(KIND) == "one of 9-1-5, 8, True, None"


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (Float, {"low": 2.0, "high": 1.0}, "low: must not exceed high, but got 2.0 > 1.0"),
        (Float, {"low": 0.0, "high": 1.0, "log": True}, "low: must be positive if log is true"),
        (Integer, {"low": 1, "high": 10, "step": 4}, "step: must divide high - low = 9, but got 4"),
        (Integer, {"low": 1, "high": 9, "step": 2, "log": True}, "step: must be 1 if log is true"),
        (Categorical, {"choices": (1, 1)}, "choices: must differ from each other"),
    ],
)
def test_a_range_that_is_none_is_refused(kind: type[Parameter], fields: dict[str, object], message: str) -> None:
    name = {Float: "float", Integer: "int", Categorical: "categorical"}[kind]
    with pytest.raises(ValidationError, match=message):
        kind(**{"type": name, **fields})


def test_the_number_of_points_is_known_without_making_them() -> None:
    given: list[Parameter] = [
        Float(type="float", low=0.0, high=1.0, points=7),
        Integer(type="int", low=3, high=9, step=2),
        Categorical(type="categorical", choices=(1, "a")),
    ]
    assert (
        [count_points(parameter) for parameter in given] == [len(points(parameter)) for parameter in given] == [7, 4, 2]
    )
    assert count_points(Integer(type="int", low=0, high=10**30)) == 10**30 + 1
