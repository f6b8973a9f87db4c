"""Shared parts of the commands: flags from configuration fields, and errors as one line with exit code 2."""

from __future__ import annotations

import argparse
import difflib
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from pydantic import BaseModel

from srcnn.errors import SRCNNError
from srcnn.system.invocation import as_typed, console_name

__all__ = ["Parser", "add_fields", "given_fields", "run"]


class Parser(argparse.ArgumentParser):
    """An argparse parser with one-line errors and suggestions for misspelt flags."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("prog", console_name())
        options["description"] = as_typed(options.get("description") or "") or None
        super().__init__(*arguments, **options)

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        if message.startswith("unrecognized arguments: "):
            flag = message.split()[2].partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(flag, known, n=3)
            message = f"{flag}: no such flag" + (f"; did you mean {' or '.join(near)}?" if near else "; see --help")
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _is_bool(annotation: Any) -> bool:
    return annotation is bool


def _none_allowed(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (types.UnionType, typing.Union) and type(None) in typing.get_args(
        annotation
    )


def add_fields(
    parser: argparse.ArgumentParser,
    model: type[BaseModel],
    *,
    skip: Iterable[str] = (),
    aliases: Mapping[str, Sequence[str]] = types.MappingProxyType({}),
) -> None:
    """Add a flag for every field of a configuration.

    The description of the field is the help text; the model validates the value.
    """
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        names = [_flag(name), *aliases.get(name, ())]
        default = "" if field.is_required() else f" (default: {_show(field.default)})"
        text = f"{field.description}{default}".replace("%", "%%")
        if _is_bool(field.annotation):
            parser.add_argument(*names, dest=name, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            parser.add_argument(*names, dest=name, default=None, metavar="VALUE", help=text)


def _show(value: object) -> str:
    if isinstance(value, tuple):
        joint = "-" if all(isinstance(v, int) for v in value) else ","
        return joint.join(map(str, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def given_fields(options: argparse.Namespace, model: type[BaseModel], *, skip: Iterable[str] = ()) -> dict[str, Any]:
    """Return the fields whose flags were given. The value ``none`` means None if the field allows it."""
    given = {}
    for name, field in model.model_fields.items():
        value = None if name in skip else getattr(options, name)
        if value is not None:
            given[name] = None if value == "none" and _none_allowed(field.annotation) else value
    return given


def run(main: Callable[[], int], interrupted: str) -> int:
    """Run a command and return its exit code: 2 after a user error, 130 after Ctrl-C, each with a one-line message."""
    try:
        return main()
    except SRCNNError as error:
        print(f"error: {as_typed(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return 130
    except BrokenPipeError:  # the process that reads the output (head, less) has ended
        sys.stderr.close()
        return 141
