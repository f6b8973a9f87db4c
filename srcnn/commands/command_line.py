"""Shared parts of the commands: flags from configuration fields, and errors as one line with exit code 2."""

from __future__ import annotations

import argparse
import atexit
import difflib
import errno
import os
import re
import shutil
import signal
import sys
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from srcnn.errors import SRCNNError
from srcnn.system.invocation import as_typed, console_name
from srcnn.system.passwords import masked, without_password

__all__ = ["Parser", "add_field", "add_fields", "given_fields", "run"]


class Parser(argparse.ArgumentParser):
    """An argparse parser with one-line errors and suggestions for misspelt flags."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("prog", console_name())
        options["description"] = _filled(as_typed(options.get("description") or "")) or None
        super().__init__(*arguments, **options)

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        if message.startswith("unrecognized arguments: "):
            flag = message.split()[2].partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(flag, known, n=3)
            message = f"{flag}: no such flag" + (f"; did you mean {' or '.join(near)}?" if near else "; see --help")
        print(f"error: {masked(message)}", file=sys.stderr)
        sys.exit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does, and take the password out of the address of a store."""
        options, rest = super().parse_known_args(args, namespace)
        if isinstance(getattr(options, "tracking_uri", None), str):
            options.tracking_uri = without_password(options.tracking_uri)
        return options, rest


def _filled(text: str) -> str:
    """Return a description whose paragraphs fit the terminal; lines with commands, which are indented, stay as they are.

    In a paragraph with lines that are indented by two spaces, every other line begins an item of a list.
    """
    width = max(40, min(shutil.get_terminal_size().columns, 132) - 2)
    found = []
    for block in text.split("\n\n"):
        if block.startswith("    "):
            found.append(block)
            continue
        items = re.split(r"\n(?! )", block) if "\n  " in block else [block]
        rest = "  " if len(items) > 1 else ""
        found.append("\n".join(textwrap.fill(" ".join(item.split()), width, subsequent_indent=rest) for item in items))
    return "\n\n".join(found)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _is_bool(annotation: Any) -> bool:
    return annotation is bool


def _none_allowed(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (types.UnionType, typing.Union) and type(None) in typing.get_args(
        annotation
    )


def add_fields(
    parser: _TakesFlags,
    model: type[BaseModel],
    *,
    skip: Iterable[str] = (),
    aliases: Mapping[str, Sequence[str]] = types.MappingProxyType({}),
) -> None:
    """Add a flag for every field of a configuration.

    The description of the field is the help text; the model validates the value.
    """
    for name in model.model_fields:
        if name not in skip:
            add_field(parser, model, name, aliases=aliases.get(name, ()))


class _TakesFlags(Protocol):
    """A parser of `argparse`, or a group of one."""

    def add_argument(self, *names: str, **options: Any) -> Any:
        """Add a flag."""


def add_field(
    parser: _TakesFlags,
    model: type[BaseModel],
    name: str,
    *,
    metavar: str = "VALUE",
    aliases: Sequence[str] = (),
    text: str = "",
) -> None:
    """Add the flag of one field of a configuration.

    Args:
        parser: parser, or a group of one.
        model: the configuration.
        name: name of the field.
        metavar: word for the value in the help.
        aliases: further names of the flag.
        text: help text; default: the description and the default of the field.
    """
    field, names = model.model_fields[name], [_flag(name), *aliases]
    text = (text or _help(field)).replace("%", "%%")
    if _is_bool(field.annotation):
        parser.add_argument(*names, dest=name, action=argparse.BooleanOptionalAction, default=None, help=text)
    else:
        parser.add_argument(*names, dest=name, default=None, metavar=metavar, help=text)


def _help(field: FieldInfo) -> str:
    """Return the description of a field with its default.

    Where no value stands for something, such as ``none: a tenth`` in the description, that is shown as the default: the word
    ``none`` alone would say the opposite.
    """
    text = field.description or ""
    if field.is_required():
        return text
    if field.default is not None:
        shown = _show(field.default)
        return text if not shown or f"default: {shown}" in text else f"{text} (default: {shown})"
    meaning = _NONE.search(text)
    if meaning is None:
        return text
    return f"{text[: meaning.start()]}{text[meaning.end() :]} (default: {meaning[1]})"


_NONE = re.compile(r"; none: ([^;]+)")


def _show(value: object) -> str:
    """Return a default as a person types it; empty for an empty list."""
    if isinstance(value, tuple):
        joint = "-" if all(isinstance(v, int) for v in value) else ","
        return joint.join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def given_fields(options: argparse.Namespace, model: type[BaseModel], *, skip: Iterable[str] = ()) -> dict[str, Any]:
    """Return the fields whose flags were given. The value ``none`` means None if the field allows it."""
    given = {}
    for name, field in model.model_fields.items():
        value = None if name in skip else getattr(options, name)
        if value is not None:
            given[name] = None if value == "none" and _none_allowed(field.annotation) else value
    return given


_LIMITS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS)  # a full disk, too many open files


def run(main: Callable[[], int], interrupted: str) -> int:
    """Run a command and return its exit code: 2 after a user error, 130 after Ctrl-C, each with a one-line message.

    A file that cannot be read or written and a full disk are user errors too; BrokenPipeError gives 141, as a shell does.
    """
    try:
        return main()
    except SRCNNError as error:
        print(f"error: {masked(as_typed(str(error)))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # While Python exits, another Ctrl-C would show a traceback of a library's last steps.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        print(interrupted, file=sys.stderr)
        return 130
    except BrokenPipeError:  # the process that reads the output (head, less) has ended
        sys.stderr.close()
        return 141
    except OSError as error:
        if error.filename is None and error.errno not in _LIMITS:
            raise  # of a library: where it comes from says more than its text
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        print(f"error: {where}{error.strerror}", file=sys.stderr)
        return 2
