"""`Strict`, the base class of all configurations: immutable, without unknown fields, errors in one line."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from srcnn.errors import ConfigError, unknown_name

__all__ = ["Strict"]

_LONGEST, _LONGEST_VALUE = 600, 200  # characters of a message, and of the value in it


class Strict(BaseModel):
    """Immutable data that rejects unknown fields and raises `ConfigError` with one line about the first broken rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise ConfigError(_explain(error, type(self))) from None

    def replace(self, **fields: Any) -> Self:
        """Return a validated copy with some fields changed."""
        return type(self)(**{**self.model_dump(), **fields})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the output of ``model_dump_json``.

        Raises:
            ConfigError: a field is unknown or breaks a rule.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(_explain(error, cls)) from None


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return the first broken rule as one line: field, rule, value."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_name("field", field, kind.model_fields)
    text = first["msg"].removeprefix("Value error, ")
    if not field:  # a rule about several fields names them itself
        return _one_line(text, _LONGEST)
    # The message of a nested configuration already has the value.
    got = "" if "but got" in text else f", but got {_one_line(_shown(first['input']), _LONGEST_VALUE)}"
    return _one_line(f"{field}: {text[0].lower()}{text[1:]}{got}", _LONGEST)


def _shown(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of more than 4300 digits; lists that are nested without end
        return f"a value of type {type(value).__name__} that cannot be shown"


def _one_line(text: str, longest: int) -> str:
    """Return a text without line breaks, with its middle left out if it is longer than ``longest`` characters."""
    text = " ".join(text.split("\n"))
    return text if len(text) <= longest else f"{text[: longest * 2 // 3]} ... {text[-longest // 4 :]}"
