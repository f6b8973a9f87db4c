"""Search spaces: a YAML file becomes a validated `Space` that suggests configurations.

A file has two parts::

    parameters:                 # what the search varies
      n1: {type: categorical, choices: [32, 64, 128]}
      learning_rate: {type: float, low: 2.0e-4, high: 1.0e-2, log: true}
    constants:                  # what it holds fixed
      optimizer: adam

A name is a field of `TrainConfig`, or the papers' name for one entry of a list: ``n1`` is the number of filters of the first
layer, ``f2`` the kernel size of the second. Errors name the file, the line, the field, the rule and the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import optuna
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from srcnn.config import TrainConfig
from srcnn.errors import ConfigError, unknown_name

__all__ = ["Categorical", "Float", "Integer", "Parameter", "Space", "Value", "load_space"]

Value = bool | int | float | str | None

_ENTRY = re.compile(r"^([nf])([1-9]\d*)$")
_LISTS = {"n": "filters", "f": "kernels"}


class _Parameter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Float(_Parameter):
    """A real number in [low, high], drawn evenly or evenly in its logarithm."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False

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


Parameter = Annotated[Float | Integer | Categorical, Field(discriminator="type")]
_PARAMETER: TypeAdapter[Float | Integer | Categorical] = TypeAdapter(Parameter)


@dataclass(frozen=True)
class Space:
    """What a search varies and what it holds fixed."""

    source: str
    parameters: Mapping[str, Float | Integer | Categorical]
    constants: Mapping[str, Any]

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

    def restrict_scales(self, scales: tuple[int, ...]) -> Space:
        """The same space over some of its scales, or over one that it did not name."""
        parameters = {**self.parameters, "scale": Categorical(type="categorical", choices=scales)}
        return Space(self.source, parameters, {k: v for k, v in self.constants.items() if k != "scale"})

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """A value for every parameter, from the trial's sampler."""
        return {name: _suggest(trial, name, parameter) for name, parameter in self.parameters.items()}

    def to_config(self, values: Mapping[str, Value], **overrides: Any) -> TrainConfig:
        """The run that some values describe.

        Raises:
            ConfigError: the values and constants break a rule together.
        """
        return TrainConfig(**_fields({**self.constants, **values}), **overrides)

    def corners(self) -> list[dict[str, Value]]:
        """Configurations that reach every end of every parameter, one parameter at a time, for checks beforehand."""
        first = {name: _ends(p)[0] for name, p in self.parameters.items()}
        return [first] + [{**first, name: end} for name, p in self.parameters.items() for end in _ends(p)[1:]]


def _ends(parameter: Float | Integer | Categorical) -> tuple[Value, ...]:
    return parameter.choices if isinstance(parameter, Categorical) else (parameter.low, parameter.high)


def _suggest(trial: optuna.Trial, name: str, parameter: Float | Integer | Categorical) -> Value:
    if isinstance(parameter, Float):
        return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)
    if isinstance(parameter, Integer):
        return trial.suggest_int(name, parameter.low, parameter.high, step=parameter.step, log=parameter.log)
    return trial.suggest_categorical(name, parameter.choices)


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by parameter name -> fields of `TrainConfig`: ``n1`` and ``n2`` become entries of ``filters``."""
    fields = {name: value for name, value in values.items() if not _ENTRY.match(name)}
    for letter, field in _LISTS.items():
        entries = {int(m[2]): v for name, v in values.items() if (m := _ENTRY.match(name)) and m[1] == letter}
        if not entries:
            continue
        default = TrainConfig.model_fields[field].default
        given = TrainConfig(**{field: fields[field]}).model_dump()[field] if field in fields else default
        sizes = list(given) + [None] * (max(entries) - len(given))
        for position, value in entries.items():
            sizes[position - 1] = value
        fields[field] = tuple(sizes)
    return fields


def load_space(path: Path) -> Space:
    """Read and check a search space.

    Raises:
        ConfigError: the file is missing or is no YAML, a name is unknown, or a rule is broken; with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: is no YAML: {error.problem}") from None
    reader = _Reader(path)
    parts = reader.mapping(root, "the file")
    for name, (line, _) in parts.items():
        if name not in ("parameters", "constants"):
            raise ConfigError(f"{path}:{line}: {unknown_name('section', name, ('parameters', 'constants'))}")
    if "parameters" not in parts:
        raise ConfigError(f"{path}:1: parameters: a space needs this section, but the file has {sorted(parts)}")
    entries = reader.mapping(parts["parameters"][1], "parameters")
    parameters = {name: reader.parameter(name, line, node) for name, (line, node) in entries.items()}
    fixed = reader.mapping(parts["constants"][1], "constants") if "constants" in parts else {}
    for name, (line, _) in {**fixed, **entries}.items():
        _check_name(path, line, name)
        if name in fixed and name in entries:
            raise ConfigError(f"{path}:{line}: {name}: is both a parameter and a constant")
    space = Space(str(path), parameters, {name: reader.plain(node) for name, (_, node) in fixed.items()})
    _check_corners(path, space, {name: line for name, (line, _) in {**fixed, **entries}.items()})
    return space


def _check_name(path: Path, line: int, name: str) -> None:
    if not _ENTRY.match(name) and name not in TrainConfig.model_fields:
        raise ConfigError(
            f"{path}:{line}: {unknown_name('field', name, [*TrainConfig.model_fields, 'n1', 'n2', 'f1'])}"
        )


def _check_corners(path: Path, space: Space, lines: Mapping[str, int]) -> None:
    """Every end of every parameter must make a valid configuration, so that no trial dies of its own space."""
    for corner in space.corners():
        try:
            space.to_config(corner)
        except ConfigError as error:
            field = str(error).partition(":")[0]
            near = [name for name in lines if name == field or ((m := _ENTRY.match(name)) and _LISTS[m[1]] == field)]
            line = f":{lines[near[0]]}" if near else ""
            raise ConfigError(f"{path}{line}: {error}") from None


class _Reader:
    """YAML nodes, which know their lines, as Python values."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mapping(self, node: yaml.Node | None, what: str) -> dict[str, tuple[int, yaml.Node]]:
        """Name -> (line, node); a name that stands twice is refused, where YAML would keep the last."""
        line = node.start_mark.line + 1 if node is not None else 1
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{self.path}:{line}: {what} must be a mapping of names to values")
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in entries:
                raise ConfigError(f"{self.path}:{key.start_mark.line + 1}: {name}: stands twice in {what}")
            entries[name] = (key.start_mark.line + 1, value)
        return entries

    def plain(self, node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        return loader.construct_object(node, deep=True)

    def parameter(self, name: str, line: int, node: yaml.Node) -> Float | Integer | Categorical:
        self.mapping(node, name)
        try:
            return _PARAMETER.validate_python(self.plain(node))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            inner = [str(part) for part in first["loc"] if part not in ("float", "int", "categorical")]
            kinds = {"union_tag_not_found": "type: must be float, int or categorical, but is missing"}
            text = kinds.get(first["type"], first["msg"].removeprefix("Value error, "))
            if first["type"] == "extra_forbidden":
                text = "is no field of this type"
            where = ".".join([name, *inner])
            got = "" if "but got" in text or "but is" in text else f", but got {first['input']!r}"
            raise ConfigError(f"{self.path}:{line}: {where}: {text}{got}") from None
