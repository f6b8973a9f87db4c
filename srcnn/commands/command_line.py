"""Shared parts of the commands: flags from configuration fields, and errors as one line with exit code 2.

Every command has the flag ``--debug``, or the environment variable SRCNN_DEBUG: only with it an error shows its traceback.
"""

from __future__ import annotations

import argparse
import atexit
import difflib
import errno
import io
import os
import re
import shutil
import signal
import sys
import textwrap
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from srcnn.errors import SRCNNError
from srcnn.system.invocation import as_typed, console_name
from srcnn.system.passwords import masked, without_password
from srcnn.system.printable import printable

__all__ = ["Parser", "add_field", "add_fields", "given_fields", "run"]


class Parser(argparse.ArgumentParser):
    """An argparse parser with one-line errors and suggestions for misspelt flags."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("prog", console_name())
        options["description"] = _filled(as_typed(options.get("description") or "")) or None
        super().__init__(*arguments, **options)
        if self.add_help:  # not a part of other parsers
            self.add_argument("--debug", action=_Debug, help="show the traceback of an error")

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        if message.startswith("unrecognized arguments: "):
            flag = message.split()[2].partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(flag, known, n=3)
            message = f"{flag}: no such flag" + (f"; did you mean {' or '.join(near)}?" if near else "; see --help")
        if re.match(r"argument \S+: must ", message):
            message = message.removeprefix("argument ")
        _say(f"error: {message}")
        sys.exit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as `argparse` does, and take the password out of the address of a store."""
        options, rest = super().parse_known_args(args, namespace)
        if isinstance(getattr(options, "tracking_uri", None), str):
            options.tracking_uri = without_password(options.tracking_uri)
        return options, rest


class _Debug(argparse.Action):
    """The flag ``--debug``. It sets an environment variable, which the processes of a search inherit."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, *_: object) -> None:
        os.environ[_DEBUG] = "1"


_DEBUG = "SRCNN_DEBUG"
_LONGEST = 900  # characters of a line on stderr


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


def run(main: Callable[[], int], interrupted: str) -> int:
    """Run a command and return its exit code: 2 after a user error, 130 after Ctrl-C, each with a one-line message.

    A file that cannot be read or written, a full disk, and memory that does not suffice are user errors too; BrokenPipeError
    gives 141, as a shell does. Any other exception is a defect of this program: exit code 1, and a line that says so.
    """
    # A file name need not be text, and must not end a command that prints it.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return main()
    except KeyboardInterrupt:
        # While Python exits, another Ctrl-C would show a traceback of a library's last steps.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        _say(interrupted)
        return 130
    except BrokenPipeError:  # the process that reads the output (head, less) has ended
        sys.stderr.close()
        return 141
    except ModuleNotFoundError:
        raise  # `srcnn.commands.main` says what to install
    except Exception as error:
        if os.environ.get(_DEBUG):
            traceback.print_exc()
        line, code = _explained(error)
        _say(f"error: {line}")
        return code


def _explained(error: Exception) -> tuple[str, int]:
    """Return the line for an error, and the exit code."""
    if isinstance(error, SRCNNError):
        return as_typed(str(error)), 2
    if isinstance(error, OSError) and error.strerror and (error.filename is not None or error.errno in _LIMITS):
        name = "" if error.filename is None else os.fsdecode(error.filename)
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}... ({len(name)} characters)"
        return f"{shown}: {error.strerror}" if shown else error.strerror, 2
    if isinstance(error, MemoryError) or _NO_MEMORY in str(error):
        return f"memory: this machine has too little for what was asked for ({error or 'no figure'})", 2
    if _NO_THREAD in str(error) or (isinstance(error, OSError) and error.errno == errno.EAGAIN):
        return f"processes: this user may start no more processes and threads ({error}); ulimit -u is the limit", 2
    if isinstance(error, RecursionError):
        return "what was given nests too deeply to be read", 2
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}: {error}"
    return f"this is a defect of this program, and --debug shows its traceback: {text}", 1


_LIMITS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS)  # a full disk, too many open files
_LONGEST_NAME = 200
_NO_THREAD = "can't start new thread"  # a RuntimeError of Python; a process gives EAGAIN
_NO_MEMORY = "can't allocate memory"  # a RuntimeError of torch on a CPU


def _say(text: str) -> None:
    """Print one line on stderr: line breaks and other control characters of what a person or a file gave are escaped."""
    line = printable(masked(text))
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST * 2 // 3]} ... {line[-_LONGEST // 4 :]}"
    print(line, file=sys.stderr)
