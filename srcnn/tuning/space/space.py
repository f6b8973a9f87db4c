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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from pydantic import BaseModel, ConfigDict, Field

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, unknown_name
from srcnn.model.network import count_macs, count_parameters
from srcnn.tuning.space.list_entries import entry_of, field_of, to_fields
from srcnn.tuning.space.parameter import (
    Categorical,
    Integer,
    Parameter,
    Value,
    contains,
    describe,
    draw,
    ends,
    points,
    suggest,
)

__all__ = ["Constraints", "Space"]

_MOST = 100_000  # configurations of a grid
_COMPLETIONS = 200  # draws of what a person left out, before it counts as impossible


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
        return self._walk(lambda name, parameter: suggest(trial, name, parameter))

    def draw(self, source: random.Random, fixed: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Values drawn at random, but for the ones that are fixed."""
        given = fixed or {}
        return self._walk(lambda name, parameter: given[name] if name in given else draw(source, parameter))

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
                for value in (points(parameter) if self.exists(name, row) else (None,))
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
        return TrainConfig(**{**to_fields({**self.constants, **values}), **overrides})

    def values_of(self, config: TrainConfig, fields: Iterable[str]) -> dict[str, Value] | None:
        """The values by which the space describes a configuration, as far as ``fields`` of it go.

        None: the space cannot describe it. Parameters of other fields are left to the sampler.
        """
        wanted = set(fields)
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            if not self.exists(name, values):
                continue
            entry = entry_of(name, config)
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
            return self._walk(lambda name, parameter: forced.get(name, ends(parameter)[0]))

        reached = [corner({})]
        for name, parameter in self.parameters.items():
            needs = self._needs(name)
            reach = ends(parameter) if parameter.when else ends(parameter)[1:]
            reached += [corner({**needs, name: end}) for end in reach]
        return reached

    def _needs(self, name: str) -> dict[str, Value]:
        """Values of other parameters at which one exists."""
        needs: dict[str, Value] = {}
        for other, allowed in self.parameters[name].when.items():
            needs |= {**self._needs(other), other: allowed[0]}
        return needs


def _condition(when: Mapping[str, tuple[Value, ...]]) -> str:
    return " and ".join(f"{name} is {' or '.join(map(str, allowed))}" for name, allowed in when.items())
