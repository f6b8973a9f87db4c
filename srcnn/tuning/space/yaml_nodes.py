"""Conversion of YAML nodes of a search-space file to parameters. Errors name the line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.space.parameter import Parameter
from srcnn.tuning.space.space import Constraints

__all__ = ["NodeReader", "plain", "shown"]

_SHOWN = 200  # characters of a value in a message
_PARAMETER: TypeAdapter[Parameter] = TypeAdapter(Annotated[Parameter, Field(discriminator="type")])


def plain(path: Path, node: yaml.Node) -> Any:
    """Convert a node to Python values.

    Raises:
        ConfigError: the node has an unknown tag, an invalid value, a repeated name or a merge; the message names file and line.
    """
    _check_names(path, node, {})
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except yaml.MarkedYAMLError as error:  # a tag such as !!python/name
        line = error.problem_mark.line + 1 if error.problem_mark else node.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: is not plain YAML: {error.problem}") from None
    except ValueError as error:  # text that looks like a date but is not one
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: is not a valid value: {error}") from None


def _check_names(path: Path, node: yaml.Node, seen: dict[int, yaml.Node]) -> None:
    """Check that each mapping has each name once: YAML would keep the last one, and with merges the one that is in sight.

    Nodes that aliases repeat are looked at once.
    """
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen[id(node)] = node
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_names(path, value, seen)
    elif isinstance(node, yaml.MappingNode):
        names = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{path}:{line}: a name must be a word or a number")
            if key.tag == "tag:yaml.org,2002:merge":
                raise ConfigError(
                    f"{path}:{line}: <<: must not be used, because a merge hides repeated names; write them out"
                )
            if key.value in names:
                raise ConfigError(f"{path}:{line}: {shown(key.value)}: appears twice")
            names.add(key.value)
            _check_names(path, value, seen)


def shown(value: object) -> str:
    """Return a value of a file for a message, shortened if it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class NodeReader:
    """Converts YAML nodes, which contain their line numbers, to Python values."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mapping(self, node: yaml.Node | None, what: str) -> dict[str, tuple[int, yaml.Node]]:
        """Return name -> (line, node). A duplicate name is an error; YAML itself would keep the last one."""
        line = node.start_mark.line + 1 if node is not None else 1
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{self.path}:{line}: {what} must be a mapping of names to values")
        entries: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{self.path}:{key.start_mark.line + 1}: a name must be a word or a number")
            name = key.value
            if name in entries:
                raise ConfigError(f"{self.path}:{key.start_mark.line + 1}: {name}: appears twice in {what}")
            entries[name] = (key.start_mark.line + 1, value)
        return entries

    def constraints(self, node: yaml.Node) -> Constraints:
        """Read the constraints of a space.

        Raises:
            ConfigError: a name or value is not valid; the message names file and line.
        """
        entries = self.mapping(node, "constraints")
        for name, (line, value) in entries.items():
            if name not in Constraints.model_fields:
                raise ConfigError(
                    f"{self.path}:{line}: {unknown_name('constraint', name, list(Constraints.model_fields))}"
                )
            given = plain(self.path, value)
            if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
                raise ConfigError(f"{self.path}:{line}: {name}: must be a number above 0, but got {shown(repr(given))}")
        return Constraints(**{name: plain(self.path, value) for name, (_, value) in entries.items()})

    def parameter(self, name: str, line: int, node: yaml.Node) -> Parameter:
        """Read a parameter of a space.

        Raises:
            ConfigError: the node is not a valid parameter; the message names file, line and field.
        """
        self.mapping(node, name)
        try:
            return _PARAMETER.validate_python(plain(self.path, node))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            inner = [str(part) for part in first["loc"] if part not in ("float", "int", "categorical")]
            kinds = {"union_tag_not_found": "type: must be float, int or categorical, but is missing"}
            text = kinds.get(first["type"], first["msg"].removeprefix("Value error, "))
            if first["type"] == "extra_forbidden":
                text = "is not a field of this type"
            if len(inner) > 2 and inner[0] in ("choices", "when"):  # pydantic names only one of the valid types
                inner, text = inner[:-1], "must be a number, a word, true, false or null"
            where = ".".join([name, *inner])
            got = "" if "but got" in text or "but is" in text else f", but got {shown(repr(first['input']))}"
            raise ConfigError(f"{self.path}:{line}: {where}: {text}{got}") from None
