"""Tables of the fields of configurations, made from the classes when the pages are built.

A page has a line ``<!-- fields: srcnn.config.training.TrainConfig -->``; `insert` puts a table in its place.
"""

from __future__ import annotations

import re
import typing
from importlib import import_module
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from srcnn.commands.command_line import _show

__all__ = ["insert", "table"]

_MARK = re.compile(r"^<!-- fields: ([\w.]+) -->$", re.MULTILINE)


def table(model: type[BaseModel]) -> str:
    """Return a table of fields as Markdown: name, default and what it is."""
    lines = ["| field | default | what it is |", "|---|---|---|"]
    lines += [f"| `{name}` | {_default(field)} | {_text(field)} |" for name, field in model.model_fields.items()]
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    return f"`{value}`" if isinstance(value, bool) else f"`{_show(value)}`" if _simple(value) else ""


def _simple(value: object) -> bool:
    return value is None or (isinstance(value, int | float | str | tuple) and value != "")


def _text(field: FieldInfo) -> str:
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    text = field.description or ", ".join(f"`{choice}`" for choice in choices)
    return re.sub(r"([*_<>\[\]$])", r"\\\1", text).replace("|", r"\|")


def insert(app: Any, _page: str, content: list[str]) -> None:
    """Replace the marks of a page (event ``source-read`` of Sphinx), and read the page again when a class changes."""

    def made(mark: re.Match[str]) -> str:
        home, _, name = mark[1].rpartition(".")
        module = import_module(home)
        app.env.note_dependency(str(module.__file__))
        return table(getattr(module, name))

    content[0] = _MARK.sub(made, content[0])
