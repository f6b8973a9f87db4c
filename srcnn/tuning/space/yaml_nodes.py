"""YAML nodes of a search-space file as parameters, with the line of every mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.space.parameter import Parameter
from srcnn.tuning.space.space import Constraints

__all__ = ["NodeReader", "plain"]

_PARAMETER: TypeAdapter[Parameter] = TypeAdapter(Annotated[Parameter, Field(discriminator="type")])


def plain(path: Path, node: yaml.Node) -> Any:
    """A node as Python values.

    Raises:
        ConfigError: it is no plain YAML; with file and line.
    """
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)
    except yaml.MarkedYAMLError as error:  # a tag such as !!python/name
        line = error.problem_mark.line + 1 if error.problem_mark else node.start_mark.line + 1
        raise ConfigError(f"{path}:{line}: is no plain YAML: {error.problem}") from None
    except ValueError as error:  # what looks like a date and is none
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: is no value: {error}") from None


class NodeReader:
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

    def constraints(self, node: yaml.Node) -> Constraints:
        entries = self.mapping(node, "constraints")
        for name, (line, value) in entries.items():
            if name not in Constraints.model_fields:
                raise ConfigError(
                    f"{self.path}:{line}: {unknown_name('constraint', name, list(Constraints.model_fields))}"
                )
            given = plain(self.path, value)
            if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
                raise ConfigError(f"{self.path}:{line}: {name}: must be a number above 0, but got {given!r}")
        return Constraints(**{name: plain(self.path, value) for name, (_, value) in entries.items()})

    def parameter(self, name: str, line: int, node: yaml.Node) -> Parameter:
        self.mapping(node, name)
        try:
            return _PARAMETER.validate_python(plain(self.path, node))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            inner = [str(part) for part in first["loc"] if part not in ("float", "int", "categorical")]
            kinds = {"union_tag_not_found": "type: must be float, int or categorical, but is missing"}
            text = kinds.get(first["type"], first["msg"].removeprefix("Value error, "))
            if first["type"] == "extra_forbidden":
                text = "is no field of this type"
            if len(inner) > 2 and inner[0] in ("choices", "when"):  # pydantic tells of one of the kinds a value may be
                inner, text = inner[:-1], "must be a number, a word, true, false or null"
            where = ".".join([name, *inner])
            got = "" if "but got" in text or "but is" in text else f", but got {first['input']!r}"
            raise ConfigError(f"{self.path}:{line}: {where}: {text}{got}") from None
