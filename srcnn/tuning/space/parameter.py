"""A parameter of a search space: a real number, an integer, or one of several values, and the operations on it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import optuna
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = [
    "Categorical",
    "Float",
    "Integer",
    "Parameter",
    "Value",
    "contains",
    "count_points",
    "describe",
    "draw",
    "ends",
    "points",
    "suggest",
]

Value = bool | int | float | str | None


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: Mapping[str, tuple[Value, ...]] = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _one_value_is_a_list_of_one(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            raise ValueError(f"must map a parameter to its value or values, but got {given!r}")
        return {str(name): tuple(v) if isinstance(v, list) else (v,) for name, v in given.items()}


class Float(_Parameter):
    """A real number in [low, high], sampled uniformly or, with ``log``, log-uniformly; ``points`` values in a grid."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    points: int = Field(5, ge=2)

    @model_validator(mode="after")
    def _check(self) -> Float:
        _check_range(self.low, self.high, self.log)
        return self

    @cached_property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The parameter as an Optuna distribution."""
        return optuna.distributions.FloatDistribution(self.low, self.high, log=self.log)


class Integer(_Parameter):
    """An integer low, low + step, ... up to high. ``log`` requires a step of 1."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Integer:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError(f"step: must be 1 if log is true, but got {self.step}")
        if (self.high - self.low) % self.step:
            raise ValueError(f"step: must divide high - low = {self.high - self.low}, but got {self.step}")
        return self

    @cached_property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The parameter as an Optuna distribution."""
        return optuna.distributions.IntDistribution(self.low, self.high, log=self.log, step=self.step)


class Categorical(_Parameter):
    """One of several values."""

    type: Literal["categorical"]
    choices: tuple[Value, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Categorical:
        if len(set(map(repr, self.choices))) != len(self.choices):
            raise ValueError(f"choices: must differ from each other, but got {list(self.choices)}")
        return self

    @cached_property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        """The parameter as an Optuna distribution."""
        return optuna.distributions.CategoricalDistribution(self.choices)


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low: must not exceed high, but got {low} > {high}")
    if log and low <= 0:
        raise ValueError(f"low: must be positive if log is true, but got {low}")


Parameter = Float | Integer | Categorical


def ends(parameter: Parameter) -> tuple[Value, ...]:
    """Return the lowest and highest value; for a categorical parameter all choices."""
    return parameter.choices if isinstance(parameter, Categorical) else (parameter.low, parameter.high)


def points(parameter: Parameter) -> tuple[Value, ...]:
    """Return the values of a parameter in a grid."""
    if isinstance(parameter, Categorical):
        return parameter.choices
    if isinstance(parameter, Integer):
        return tuple(range(parameter.low, parameter.high + 1, parameter.step))
    low, high, shares = parameter.low, parameter.high, [i / (parameter.points - 1) for i in range(parameter.points)]
    if parameter.log:
        return tuple(min(high, low * (high / low) ** share) for share in shares)
    return tuple(low + (high - low) * share for share in shares)


def count_points(parameter: Parameter) -> int:
    """Return the number of values of a parameter in a grid."""
    if isinstance(parameter, Categorical):
        return len(parameter.choices)
    if isinstance(parameter, Integer):
        return (parameter.high - parameter.low) // parameter.step + 1
    return parameter.points


def draw(source: random.Random, parameter: Parameter) -> Value:
    """Return a random value of a parameter."""
    if isinstance(parameter, Categorical):
        return source.choice(parameter.choices)
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Integer) and not parameter.log:
        return source.randrange(parameter.low, parameter.high + 1, parameter.step)
    value = low * (high / low) ** source.random() if parameter.log else source.uniform(low, high)
    return round(value) if isinstance(parameter, Integer) else min(value, high)


def contains(parameter: Parameter, value: Value) -> bool:
    """Return whether a value is valid for a parameter."""
    if isinstance(parameter, Categorical):
        return any(value == choice and type(value) is type(choice) for choice in parameter.choices)
    if isinstance(value, bool) or not isinstance(value, int | float) or not parameter.low <= value <= parameter.high:
        return False
    if isinstance(parameter, Float):
        return True
    return isinstance(value, int) and (value - parameter.low) % parameter.step == 0


def describe(parameter: Parameter) -> str:
    """Return a description of the valid values of a parameter."""
    if isinstance(parameter, Categorical):
        return "one of " + ", ".join(map(str, parameter.choices))
    step = f" in steps of {parameter.step}" if isinstance(parameter, Integer) and parameter.step > 1 else ""
    return f"from {parameter.low:g} to {parameter.high:g}{step}"


def suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> Value:
    """Return a value of a parameter from the sampler of an Optuna trial."""
    if isinstance(parameter, Float):
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Integer):
        return trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
    return trial.suggest_categorical(name, parameter.choices)
