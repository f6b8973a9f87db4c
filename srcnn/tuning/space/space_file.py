"""Reader of search-space files (YAML). Errors name the line. The format is described in `srcnn.tuning.space.space`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.space.list_entries import field_of, is_entry
from srcnn.tuning.space.parameter import Parameter, contains, describe
from srcnn.tuning.space.space import Constraints, Space
from srcnn.tuning.space.yaml_file import compose
from srcnn.tuning.space.yaml_nodes import NodeReader, plain

__all__ = ["load_space"]

_SECTIONS = ("parameters", "constants", "constraints")
_PARAMETERS = 200  # maximum number of parameters
_OF_THE_SEARCH = ("seed", "pixels", "epoch_pixels", "epochs")  # one value for all trials of a search


def load_space(path: Path) -> Space:
    """Read and validate a search space.

    Raises:
        ConfigError: the file is missing or not YAML, a name is unknown, or a rule is broken; the message names file and line.
    """
    reader = NodeReader(path)
    parts = reader.mapping(compose(path), "the file")
    for name, (line, _) in parts.items():
        if name not in _SECTIONS:
            raise ConfigError(f"{path}:{line}: {unknown_name('section', name, _SECTIONS)}")
    if "parameters" not in parts:
        raise ConfigError(f"{path}:1: parameters: a space must have this section, but the file has {sorted(parts)}")
    entries = reader.mapping(parts["parameters"][1], "parameters")
    if len(entries) > _PARAMETERS:
        line = parts["parameters"][0]
        raise ConfigError(f"{path}:{line}: parameters: must be at most {_PARAMETERS}, but are {len(entries)}")
    parameters = {name: reader.parameter(name, line, node) for name, (line, node) in entries.items()}
    fixed = reader.mapping(parts["constants"][1], "constants") if "constants" in parts else {}
    for name, (line, _) in {**fixed, **entries}.items():
        _check_name(path, line, name)
        if name in _OF_THE_SEARCH:
            raise ConfigError(
                f"{path}:{line}: {name}: must not be in a space, because it is the same for every trial; see --seed, --budget"
            )
        if name == "start_digest":
            raise ConfigError(f"{path}:{line}: {name}: must not be in a space, because it follows from start")
        if name in fixed and name in entries:
            raise ConfigError(f"{path}:{line}: {name}: must be either a parameter or a constant, but is both")
    lines = {name: line for name, (line, _) in {**fixed, **entries}.items()}
    _check_conditions(path, parameters, lines)
    _check_scale(path, parameters, lines)
    constraints = reader.constraints(parts["constraints"][1]) if "constraints" in parts else Constraints()
    space = Space(str(path), parameters, {name: plain(path, node) for name, (_, node) in fixed.items()}, constraints)
    _check_corners(path, space, lines)
    if "constraints" in parts:
        _check_constraints(space, parts["constraints"][0])
    return space


def _check_conditions(path: Path, parameters: Mapping[str, Parameter], lines: Mapping[str, int]) -> None:
    earlier: list[str] = []
    for name, parameter in parameters.items():
        for other, allowed in parameter.when.items():
            if other not in earlier:
                raise ConfigError(
                    f"{path}:{lines[name]}: {name}.when: must name parameters before it in the file, but got {other!r}"
                )
            for value in allowed:
                if not contains(parameters[other], value):
                    described = describe(parameters[other])
                    raise ConfigError(
                        f"{path}:{lines[name]}: {name}.when.{other}: must be {described}, but got {value!r}"
                    )
        earlier.append(name)


def _check_scale(path: Path, parameters: Mapping[str, Parameter], lines: Mapping[str, int]) -> None:
    """Check the parameter ``scale``: it must have a list of values and exist in every trial."""
    scale = parameters.get("scale")
    if scale is None:
        return
    if scale.type == "float":
        raise ConfigError(f"{path}:{lines['scale']}: scale.type: must be categorical or int, but got 'float'")
    if scale.when:
        raise ConfigError(
            f"{path}:{lines['scale']}: scale.when: must be empty, because every trial has a scale, but got {dict(scale.when)}"
        )


def _check_constraints(space: Space, line: int) -> None:
    """Check that the constraints allow some configuration; otherwise the sampler would never find one."""
    if broken := space.broken_constraint():
        raise ConfigError(
            f"{space.source}:{line}: constraints: must allow some configuration, but none of 500 random ones is valid; {broken}"
        )


def _check_name(path: Path, line: int, name: str) -> None:
    if not is_entry(name) and name not in TrainConfig.model_fields and name != "depth":
        known = [*TrainConfig.model_fields, "n1", "n2", "f1", "f_last", "n_rest", "f_rest", "depth"]
        raise ConfigError(f"{path}:{line}: {unknown_name('field', name, known)}")


def _check_corners(path: Path, space: Space, lines: Mapping[str, int]) -> None:
    """Check that the lowest and highest value of every parameter give a valid configuration.

    Otherwise a trial would fail because of its search space.
    """
    for corner in space.corners():
        try:
            space.to_config(corner)
        except ConfigError as error:
            field = re.split(r"[:.]", str(error), maxsplit=1)[0]
            near = [name for name in lines if name == field] or [name for name in lines if field_of(name) == field]
            if not near and is_entry(field):  # a missing entry: use the line that sets the length of its list
                near = [
                    name for name in ("depth", *lines) if name in lines and field_of(name) in ("filters", "kernels")
                ]
            line = f":{lines[near[0]]}" if near else ""
            raise ConfigError(f"{path}{line}: {error}") from None
