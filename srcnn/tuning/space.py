"""Search spaces: a YAML file becomes a validated `Space` that suggests configurations.

A file has up to three parts::

    parameters:                 # what the search varies
      depth: {type: categorical, choices: [3, 4]}
      n1: {type: categorical, choices: [32, 64, 128]}
      n3: {type: categorical, choices: [16, 32], when: {depth: 4}}
      learning_rate: {type: float, low: 2.0e-4, high: 1.0e-2, log: true}
    constants:                  # what it holds fixed
      optimizer: adam
    constraints:                # what it rejects before any training
      max_parameters: 60000

A name is a field of `TrainConfig`, or the papers' name for one entry of a list: ``n1`` is the number of filters of the first
layer, ``f2`` the kernel size of the second, ``f_last`` that of the last, ``n_rest`` and ``f_rest`` every entry that has no
name of its own. With ``depth`` the lists have that many layers, and entries beyond are left out. ``when`` names parameters
that stand earlier in the file and the value, or values, at which this one exists. Errors name the file, the line, the field,
the rule and the value.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import optuna
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from srcnn.config import TrainConfig
from srcnn.errors import ConfigError, unknown_name
from srcnn.model import count_macs, count_parameters

__all__ = [
    "Categorical",
    "Constraints",
    "Float",
    "Integer",
    "Parameter",
    "Space",
    "Value",
    "contains",
    "describe",
    "field_of",
    "is_entry",
]

Value = bool | int | float | str | None

_ENTRY = re.compile(r"^(?:([nf])([1-9]\d*)|(f)_(last))$")
_REST = {"n_rest": "filters", "f_rest": "kernels"}
_LISTS = {"n": "filters", "f": "kernels"}
_MOST = 100_000  # configurations of a grid
_COMPLETIONS = 200  # draws of what a person left out, before it counts as impossible


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
    """A real number in [low, high], drawn evenly or evenly in its logarithm; in a grid, ``points`` values."""

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
        return optuna.distributions.FloatDistribution(self.low, self.high, log=self.log)


class Integer(_Parameter):
    """A whole number low, low + step, ... up to high; ``log`` excludes another step than 1."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Integer:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError(f"step: must be 1 where log is true, but got {self.step}")
        if (self.high - self.low) % self.step:
            raise ValueError(f"step: must divide high - low = {self.high - self.low}, but got {self.step}")
        return self

    @cached_property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        return optuna.distributions.IntDistribution(self.low, self.high, log=self.log, step=self.step)


class Categorical(_Parameter):
    """One of some values."""

    type: Literal["categorical"]
    choices: tuple[Value, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Categorical:
        if len(set(map(repr, self.choices))) != len(self.choices):
            raise ValueError(f"choices: must differ from each other, but got {list(self.choices)}")
        return self

    @cached_property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        return optuna.distributions.CategoricalDistribution(self.choices)


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low: must not exceed high, but got {low} > {high}")
    if log and low <= 0:
        raise ValueError(f"low: must be positive where log is true, but got {low}")


Parameter = Float | Integer | Categorical


class Constraints(BaseModel):
    """Bounds on the network, checked before it is trained; None: no bound."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_parameters: float | None = Field(None, gt=0)  #: weights and biases
    max_macs: float | None = Field(None, gt=0)  #: multiply-accumulate operations for a pixel of the large image

    def broken_by(self, config: TrainConfig) -> str:
        """The bound that a configuration breaks, as a line; empty if it keeps them all."""
        for name, count in (("max_parameters", count_parameters), ("max_macs", count_macs)):
            most, found = getattr(self, name), count(config)
            if most is not None and found > most:
                return f"{name}: must not exceed {most:g}, but {config.name} has {found:g}"
        return ""


@dataclass(frozen=True)
class Space:
    """What a search varies, what it holds fixed and what it rejects."""

    source: str
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    constraints: Constraints = field(default_factory=Constraints)

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that the search covers, ascending."""
        parameter = self.parameters.get("scale")
        if parameter is None:
            return (int(self.constants.get("scale", TrainConfig.model_fields["scale"].default)),)
        if isinstance(parameter, Categorical):
            return tuple(sorted(int(str(choice)) for choice in parameter.choices))
        assert isinstance(parameter, Integer)
        return tuple(range(parameter.low, parameter.high + 1, parameter.step))

    @property
    def conditional(self) -> bool:
        """Whether some parameters exist only at some values of others."""
        return any(parameter.when for parameter in self.parameters.values())

    def restrict_scales(self, scales: tuple[int, ...]) -> Space:
        """The same space over some of its scales, or over one that it did not name."""
        parameters = {**self.parameters, "scale": Categorical(type="categorical", choices=scales)}
        return replace(self, parameters=parameters, constants={k: v for k, v in self.constants.items() if k != "scale"})

    def exists(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether a parameter exists beside the values of the parameters before it."""
        return all(o in values and values[o] in allowed for o, allowed in self.parameters[name].when.items())

    def _walk(self, choose: Callable[[str, Parameter], Value]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            if self.exists(name, values):
                values[name] = choose(name, parameter)
        return values

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """A value for every parameter that exists, from the trial's sampler."""
        return self._walk(lambda name, parameter: _suggest(trial, name, parameter))

    def draw(self, source: random.Random, fixed: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Values drawn at random, but for the ones that are fixed."""
        given = fixed or {}
        return self._walk(lambda name, parameter: given[name] if name in given else _draw(source, parameter))

    def grid(self) -> list[dict[str, Value]]:
        """Every combination of values, those of a real number being its ``points``.

        Raises:
            ConfigError: there are more than a hundred thousand.
        """
        rows: list[dict[str, Value]] = [{}]
        for name, parameter in self.parameters.items():
            found = [
                {**row, name: value} if self.exists(name, row) else row
                for row in rows
                for value in (_points(parameter) if self.exists(name, row) else (None,))
            ]
            rows = found
            if len(rows) > _MOST:
                raise ConfigError(f"{self.source}: a grid must have at most {_MOST} configurations, but has more")
        return rows

    def to_config(self, values: Mapping[str, Value], **overrides: Any) -> TrainConfig:
        """The run that some values describe.

        Raises:
            ConfigError: the values and constants break a rule together.
        """
        return TrainConfig(**{**_fields({**self.constants, **values}), **overrides})

    def values_of(self, config: TrainConfig, fields: Iterable[str]) -> dict[str, Value] | None:
        """The values by which the space describes a configuration, as far as ``fields`` of it go.

        None: the space cannot describe it. Parameters of other fields are left to the sampler.
        """
        wanted = set(fields)
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            if not self.exists(name, values):
                continue
            entry = _entry_of(name, config)
            if field_of(name) in wanted and entry is not None:
                if not contains(parameter, entry):
                    return None
                values[name] = entry
        compared = wanted - {"learning_rate"}
        for made in self._completions(values):
            if isinstance(made, TrainConfig) and all(getattr(made, f) == getattr(config, f) for f in compared):
                return values
        return None

    def check(self, values: Mapping[str, Value]) -> str:
        """What is wrong with values that somebody wrote, some parameters perhaps missing; empty if nothing is."""
        for name, value in values.items():
            if name not in self.parameters:
                return unknown_name("parameter", name, list(self.parameters))
            if not contains(self.parameters[name], value):
                return f"{name}: must be {describe(self.parameters[name])}, but got {value!r}"
        for name in values:  # the sampler would pass over a value whose condition it happens not to meet
            if not self.exists(name, values):
                return (
                    f"{name}: exists only when {_condition(self.parameters[name].when)}, which must be given beside it"
                )
        wrong = ""
        for made in self._completions(values):
            wrong = self.constraints.broken_by(made) if isinstance(made, TrainConfig) else made
            if not wrong:
                return ""
        return wrong

    def _completions(self, values: Mapping[str, Value]) -> Iterator[TrainConfig | str]:
        """Some runs that have the given values, or why those with the values drawn beside them cannot be."""
        source = random.Random(0)
        for _ in range(_COMPLETIONS):
            full = self.draw(source, values)
            try:
                yield self.to_config(full)
            except ConfigError as error:
                yield str(error)
            if len(full) == len(values):  # nothing was drawn
                return

    def corners(self) -> list[dict[str, Value]]:
        """Configurations that reach every end of every parameter, one parameter at a time, for checks beforehand."""

        def corner(forced: Mapping[str, Value]) -> dict[str, Value]:
            return self._walk(lambda name, parameter: forced.get(name, _ends(parameter)[0]))

        reached = [corner({})]
        for name, parameter in self.parameters.items():
            needs = self._needs(name)
            ends = _ends(parameter) if parameter.when else _ends(parameter)[1:]
            reached += [corner({**needs, name: end}) for end in ends]
        return reached

    def _needs(self, name: str) -> dict[str, Value]:
        """Values of other parameters at which one exists."""
        needs: dict[str, Value] = {}
        for other, allowed in self.parameters[name].when.items():
            needs |= {**self._needs(other), other: allowed[0]}
        return needs


def _ends(parameter: Parameter) -> tuple[Value, ...]:
    return parameter.choices if isinstance(parameter, Categorical) else (parameter.low, parameter.high)


def _points(parameter: Parameter) -> tuple[Value, ...]:
    if isinstance(parameter, Categorical):
        return parameter.choices
    if isinstance(parameter, Integer):
        return tuple(range(parameter.low, parameter.high + 1, parameter.step))
    low, high, shares = parameter.low, parameter.high, [i / (parameter.points - 1) for i in range(parameter.points)]
    if parameter.log:
        return tuple(min(high, low * (high / low) ** share) for share in shares)
    return tuple(low + (high - low) * share for share in shares)


def _draw(source: random.Random, parameter: Parameter) -> Value:
    if isinstance(parameter, Categorical):
        return source.choice(parameter.choices)
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Integer) and not parameter.log:
        return source.randrange(parameter.low, parameter.high + 1, parameter.step)
    value = low * (high / low) ** source.random() if parameter.log else source.uniform(low, high)
    return round(value) if isinstance(parameter, Integer) else min(value, high)


def contains(parameter: Parameter, value: Value) -> bool:
    """Whether a parameter may have a value."""
    if isinstance(parameter, Categorical):
        return any(value == choice and type(value) is type(choice) for choice in parameter.choices)
    if isinstance(value, bool) or not isinstance(value, int if isinstance(parameter, Integer) else int | float):
        return False
    return bool(parameter.distribution._contains(value))


def describe(parameter: Parameter) -> str:
    """The values that a parameter may have, in words."""
    if isinstance(parameter, Categorical):
        return "one of " + ", ".join(map(str, parameter.choices))
    step = f" in steps of {parameter.step}" if isinstance(parameter, Integer) and parameter.step > 1 else ""
    return f"from {parameter.low:g} to {parameter.high:g}{step}"


def _condition(when: Mapping[str, tuple[Value, ...]]) -> str:
    return " and ".join(f"{name} is {' or '.join(map(str, allowed))}" for name, allowed in when.items())


def _suggest(trial: optuna.Trial, name: str, parameter: Parameter) -> Value:
    if isinstance(parameter, Float):
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Integer):
        return trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
    return trial.suggest_categorical(name, parameter.choices)


def is_entry(name: str) -> bool:
    """Whether a name stands for entries of a list: n1, f2, f_last, n_rest."""
    return name in _REST or _ENTRY.match(name) is not None


def _position(name: str) -> tuple[str, int] | None:
    """``n2`` -> ("filters", 1); the last entry is -1; None for a field's own name."""
    match = _ENTRY.match(name)
    if match is None:
        return None
    return _LISTS[match[1] or match[3]], -1 if match[4] else int(match[2]) - 1


def field_of(name: str) -> str:
    """The field that a parameter is a part of."""
    place = _position(name)
    return "kernels" if name == "depth" else _REST.get(name, name) if place is None else place[0]


def _entry_of(name: str, config: TrainConfig) -> Value:
    """The value of a parameter in a configuration; None if it has no such entry."""
    if name == "depth":
        return config.depth
    if name in _REST:  # a guess that `values_of` checks: the first layer is the one that mostly has a name of its own
        sizes = getattr(config, _REST[name])
        return int(sizes[min(1, len(sizes) - 1)])
    place = _position(name)
    if place is None:
        value = getattr(config, name)
        return "-".join(map(str, value)) if isinstance(value, tuple) else value
    sizes = getattr(config, place[0])
    return int(sizes[place[1]]) if place[1] < len(sizes) else None


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by parameter name -> fields of `TrainConfig`: ``n1`` and ``n2`` become entries of ``filters``."""
    fields = {name: value for name, value in values.items() if not is_entry(name) and name != "depth"}
    depth = values.get("depth")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 2):
        raise ConfigError(f"depth: must be a whole number from 2, but got {depth!r}")
    for letter, name in _LISTS.items():
        entries = {place[1]: v for n, v in values.items() if (place := _position(n)) and place[0] == name}
        rest = values.get(f"{letter}_rest")
        if not entries and depth is None and rest is None:
            continue
        default = TrainConfig.model_fields[name].default
        given = TrainConfig(**{name: fields[name]}).model_dump()[name] if name in fields else default
        named_last = -1 in entries  # f_last decides over the f_i of the same place
        last = entries.pop(-1, given[-1] if letter == "f" else None)
        length = max([len(given), *(i + 1 for i in entries)])
        if depth is not None:
            length = depth if letter == "f" else depth - 1
        # The list's own last kernel stays the last one, however many layers come before it.
        sizes = list(given[:-1] if letter == "f" and length != len(given) else given)[:length]
        sizes += [None] * (length - len(sizes))
        if rest is not None:
            sizes, last = [rest] * length, last if named_last else rest
        for position, value in entries.items():
            if position < length:
                sizes[position] = value
        if letter == "f" and (named_last or length - 1 not in entries):
            sizes[-1] = last
        if None in sizes:
            missing = f"{letter}{sizes.index(None) + 1}"
            layers = f"depth is {depth}" if depth is not None else f"{name} has {length} entries"
            raise ConfigError(f"{missing}: must be given where {layers}, as a parameter or a constant")
        fields[name] = tuple(sizes)
    return fields
