"""Search spaces: `Space` samples and validates configurations; `srcnn.tuning.space.space_file` reads it from a YAML file.

A file has up to three parts::

    parameters:                 # what the search varies
      depth: {type: categorical, choices: [3, 4]}
      n1: {type: categorical, choices: [32, 64, 128]}
      n3: {type: categorical, choices: [16, 32], when: {depth: 4}}
      learning_rate: {type: float, low: 2.0e-4, high: 1.0e-2, log: true}
    constants:                  # fixed values
      optimizer: adam
    constraints:                # reject networks before training
      max_parameters: 60000

A name is a field of `TrainConfig`, or a list entry named as in the papers: ``n1`` is the number of filters of the first
layer, ``f2`` the kernel size of the second, ``f_last`` that of the last; ``n_rest`` and ``f_rest`` are all entries
without a name of their own. ``depth`` sets the number of layers; entries beyond it are ignored. ``when`` lists earlier
parameters of the file and the values with which this parameter exists. Errors name the file, the line, the field, the
rule and the value.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from pydantic import BaseModel, ConfigDict, Field

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, unknown_name
from srcnn.model.network import count_macs, count_parameters
from srcnn.model.shared_layers import Shapes, check_shared
from srcnn.tuning.space.list_entries import entry_of, field_of, to_fields
from srcnn.tuning.space.parameter import (
    Categorical,
    Integer,
    Parameter,
    Value,
    contains,
    count_points,
    describe,
    draw,
    ends,
    points,
    suggest,
)

__all__ = ["Constraints", "Space"]

_MOST = 100_000  # maximum number of configurations in a grid
_RANDOM = 500  # random configurations of which one must be allowed
_COMPLETIONS = 200  # random completions of partial values before they are rejected


class Constraints(BaseModel):
    """Upper bounds on the network, checked before training; None: no bound."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_parameters: float | None = Field(None, gt=0)  #: maximum number of weights and biases
    max_macs: float | None = Field(
        None, gt=0
    )  #: maximum number of multiply-accumulate operations per pixel of the large image

    def broken_by(self, config: TrainConfig) -> str:
        """Return a message about the bound that a configuration exceeds; empty if there is none."""
        for name, count in (("max_parameters", count_parameters), ("max_macs", count_macs)):
            most, found = getattr(self, name), count(config)
            if most is not None and found > most:
                return f"{name}: must not exceed {most:g}, but {config.name} has {found:g}"
        return ""


@dataclass(frozen=True)
class Space:
    """A search space: varied parameters, fixed values and constraints."""

    source: str
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    constraints: Constraints = field(default_factory=Constraints)
    starts: Mapping[str, str] = field(
        default_factory=dict
    )  #: digest of each start network, by its name, once they are read
    #: Shapes of the tensors of each start network, by its name: a configuration that shares no layer with its start network is
    #: invalid. None: they are not known, as in the state of a search from before this field, and nothing is compared.
    shapes: Mapping[str, Shapes] | None = None

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales of the search, ascending."""
        parameter = self.parameters.get("scale")
        if parameter is None:
            return (int(self.constants.get("scale", TrainConfig.model_fields["scale"].default)),)
        if isinstance(parameter, Categorical):
            return tuple(sorted(int(str(choice)) for choice in parameter.choices))
        assert isinstance(parameter, Integer)
        return tuple(range(parameter.low, parameter.high + 1, parameter.step))

    @property
    def reduced_copies(self) -> int:
        """The greatest number of reduced copies of the training images that a configuration can have."""
        parameter = self.parameters.get("reduced_copies")
        if parameter is None:
            return int(self.constants.get("reduced_copies", TrainConfig.model_fields["reduced_copies"].default))
        if isinstance(parameter, Categorical):
            return max(int(str(choice)) for choice in parameter.choices)
        assert isinstance(parameter, Integer)
        return parameter.high

    @property
    def conditional(self) -> bool:
        """Whether some parameters exist only for certain values of others."""
        return any(parameter.when for parameter in self.parameters.values())

    def restrict_scales(self, scales: tuple[int, ...]) -> Space:
        """Return the same space with other scales."""
        parameters = {**self.parameters, "scale": Categorical(type="categorical", choices=scales)}
        return replace(self, parameters=parameters, constants={k: v for k, v in self.constants.items() if k != "scale"})

    def restrict(self, *, max_parameters: float) -> Space:
        """Return the same space with another limit of weights and biases.

        Raises:
            ConfigError: no configuration is allowed, as far as random ones show.
        """
        constraints = Constraints(**{**self.constraints.model_dump(), "max_parameters": max_parameters})
        space = replace(self, constraints=constraints)
        if broken := space.broken_constraint():
            raise ConfigError(
                f"max_parameters: must allow some configuration of {self.source}, but none of {_RANDOM} random ones is valid; "
                f"{broken}"
            )
        return space

    def broken_constraint(self) -> str:
        """Return a message about a broken constraint if no random configuration is allowed; empty if one is."""
        source, broken = random.Random(0), ""
        for _ in range(_RANDOM):
            try:
                broken = self.constraints.broken_by(self.to_config(self.draw(source)))
            except ConfigError:
                continue
            if not broken:
                return ""
        return broken

    def exists(self, name: str, values: Mapping[str, Value]) -> bool:
        """Return whether a parameter exists, given the values of the parameters before it."""
        return all(o in values and values[o] in allowed for o, allowed in self.parameters[name].when.items())

    def _walk(self, choose: Callable[[str, Parameter], Value]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, parameter in self.parameters.items():
            if self.exists(name, values):
                values[name] = choose(name, parameter)
        return values

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """Return a value for every existing parameter, from the sampler of the Optuna trial."""
        return self._walk(lambda name, parameter: suggest(trial, name, parameter))

    def draw(self, source: random.Random, fixed: Mapping[str, Value] | None = None) -> dict[str, Value]:
        """Return random values for all parameters except the fixed ones."""
        given = fixed or {}
        return self._walk(lambda name, parameter: given[name] if name in given else draw(source, parameter))

    def grid(self) -> list[dict[str, Value]]:
        """Return all combinations of values. A real number has ``points`` values.

        Raises:
            ConfigError: there are more than a hundred thousand combinations.
        """
        rows: list[dict[str, Value]] = [{}]
        for name, parameter in self.parameters.items():
            if count_points(parameter) > _MOST:
                raise ConfigError(
                    f"{self.source}: {name}: a grid must have at most {_MOST} values of it, but it has more"
                )
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
        """Return the training configuration for some values.

        Raises:
            ConfigError: the values and constants together break a rule, or the network shares no layer with its start network.
        """
        fields = to_fields({**self.constants, **values})
        if (digest := self.starts.get(str(fields.get("start")))) is not None:
            fields["start_digest"] = digest
        config = TrainConfig(**{**fields, **overrides})
        if self.shapes is not None and config.start in self.shapes:
            check_shared(config, self.shapes[config.start], config.start)
        return config

    def drawn_config(self, source: random.Random, fixed: Mapping[str, Value] | None = None) -> TrainConfig:
        """Return a random valid configuration with the given values; the constraints are not considered.

        Raises:
            ConfigError: none is valid, as far as random ones show.
        """
        for _ in range(_COMPLETIONS):
            with suppress(ConfigError):
                return self.to_config(self.draw(source, fixed))
        return self.to_config(self.draw(source, fixed))

    def values_of(self, config: TrainConfig, fields: Iterable[str]) -> dict[str, Value] | None:
        """Return the parameter values that describe the given fields of a configuration.

        None if the space does not contain it. Parameters of other fields are omitted; the sampler sets them.
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
        """Return a message about the first error in values from a user; empty if they are valid. Parameters may be missing."""
        for name, value in values.items():
            if name not in self.parameters:
                return unknown_name("parameter", name, list(self.parameters))
            if not contains(self.parameters[name], value):
                return f"{name}: must be {describe(self.parameters[name])}, but got {value!r}"
        for name in values:  # the sampler would ignore a value whose condition is not met
            if not self.exists(name, values):
                return f"{name}: exists only when {_condition(self.parameters[name].when)}, which must be given too"
        wrong = ""
        for made in self._completions(values):
            wrong = self.constraints.broken_by(made) if isinstance(made, TrainConfig) else made
            if not wrong:
                return ""
        return wrong

    def _completions(self, values: Mapping[str, Value]) -> Iterator[TrainConfig | str]:
        """Yield random configurations with the given values, or for an invalid one the reason."""
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
        """Return configurations with the lowest and highest value of every parameter, one parameter at a time, for validation."""

        def corner(forced: Mapping[str, Value]) -> dict[str, Value]:
            return self._walk(lambda name, parameter: forced.get(name, ends(parameter)[0]))

        reached = [corner({})]
        for name, parameter in self.parameters.items():
            needs = self._needs(name)
            reach = ends(parameter) if parameter.when else ends(parameter)[1:]
            reached += [corner({**needs, name: end}) for end in reach]
        return reached

    def _needs(self, name: str) -> dict[str, Value]:
        """Return values of other parameters with which a parameter exists."""
        needs: dict[str, Value] = {}
        for other, allowed in self.parameters[name].when.items():
            needs |= {**self._needs(other), other: allowed[0]}
        return needs


def _condition(when: Mapping[str, tuple[Value, ...]]) -> str:
    return " and ".join(f"{name} is {' or '.join(map(str, allowed))}" for name, allowed in when.items())
