"""Reference of the commands, made from their own parsers when the pages are built: a flag cannot be there and not here.

A page has a line ``<!-- commands: replay bench -->``, or ``all`` for those of the installed program; `insert` puts their
reference in its place.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from srcnn.commands.main import COMMANDS

__all__ = ["described", "insert", "parsed", "parser_of"]

ROOT = Path(__file__).resolve().parents[1]
_MARK = re.compile(r"^<!-- commands: ([\w ]+) -->$", re.MULTILINE)
_FLAG = re.compile(r"(?<![\w-])(--[a-z][\w-]*)")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#{}$])")


class _Parsed(BaseException):
    """Carries the parser of a command, and what it made of a command line, out of the command before it does anything.

    No error: a command would print an error in one line.
    """

    def __init__(self, parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
        super().__init__()
        self.parser = parser
        self.options = options


def module_of(name: str) -> str:
    """Return the module of a command: one of the package, or one that only the checkout has."""
    return f"srcnn.commands.{name}" if (ROOT / "srcnn" / "commands" / f"{name}.py").is_file() else name


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command.

    Args:
        name: of the command, such as ``search``; the folder ``experiments`` must be among Python's paths.
    """

    def stop(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        raise _Parsed(parser, argparse.Namespace())

    with patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            import_module(module_of(name)).main([])
        except _Parsed as found:
            return found.parser
    raise AssertionError(f"{name}: its main parses no arguments")


def parsed(name: str, arguments: list[str]) -> argparse.Namespace:
    """Return what the parser of a command makes of a command line; nothing of the command runs.

    Raises:
        SystemExit: the command line is wrong, or asks for help or the version.
    """
    known = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *given: Any, **named: Any) -> None:
        raise _Parsed(parser, known(parser, *given, **named))

    with patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            import_module(module_of(name)).main(arguments)
        except _Parsed as found:
            return found.options
    raise AssertionError(f"{name}: its main parses no arguments")


def insert(app: Any, _page: str, content: list[str]) -> None:
    """Replace the marks of a page (event ``source-read`` of Sphinx), and read the page again when a module changes."""
    if not _MARK.search(content[0]):
        return
    before = set(sys.modules)
    content[0] = _MARK.sub(lambda mark: "\n".join(map(described, _names(mark[1]))), content[0])
    ours = {name for name in {*before, *sys.modules} if name.startswith("srcnn.")}
    for name in ours:
        if (file := getattr(sys.modules[name], "__file__", None)) is not None:
            app.env.note_dependency(file)


def _names(listed: str) -> list[str]:
    return [*COMMANDS] if listed == "all" else listed.split()


def described(name: str) -> str:
    """Return the reference of a command as Markdown: what it does, how it is called, and every flag with its default."""
    parser = parser_of(name)
    where = f"experiments/{name}.py"
    called = f"`python {where}`" if module_of(name) == name else f"`srcnn {name}` or `python {where}`"
    return "\n".join([f"## {name}", "", f"{called}", "", *_prose(parser.description or ""), "", *_flags(parser), ""])


def _prose(text: str) -> Iterator[str]:
    """Yield the lines of a docstring: indented ones are commands, the others paragraphs of plain text."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        if all(line.startswith("  ") for line in lines):
            yield from ("```bash", *(line.strip() for line in lines), "```", "")
        else:
            yield from (*map(_plain, lines), "")


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, with its flags as code."""
    return _FLAG.sub(r"`\1`", _SPECIAL.sub(r"\\\1", text.strip()))


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    groups = [group for group in parser._action_groups if group._group_actions]
    for group in groups:
        actions = [action for action in group._group_actions if action.help != argparse.SUPPRESS]
        if [action.dest for action in actions] == ["help"]:
            continue
        yield from (f"**{_plain(group.title or 'arguments')}**", "")
        for action in actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from _subcommands(action)
            elif action.dest != "help":
                yield from _entry(_written(action), _help(parser, action))


def _entry(term: str, text: str) -> Iterator[str]:
    yield from (term, f": {_plain(' '.join(text.split())) or '(no text)'}", "")


def _subcommands(action: Any) -> Iterator[str]:
    texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
    for name, parser in action.choices.items():
        usage = [_written(one) for one in parser._actions if one.dest != "help"]
        yield from _entry(" ".join([f"`{name}`", *usage]), texts.get(name, ""))
        for one in parser._actions:
            if one.dest != "help" and one.help:
                yield from _entry(f"`{name}` {_written(one)}", _help(parser, one))


def _written(action: argparse.Action) -> str:
    """Return how an argument is typed, such as ``--scale S``, as code."""
    choices = "|".join(map(str, action.choices)) if action.choices is not None else None
    metavar = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        metavar = ""
    elif action.nargs == "?":
        metavar = f"[{metavar}]"
    elif action.nargs in ("+", "*"):
        metavar = f"{metavar} ..."
    names = action.option_strings or [""]
    return ", ".join(f"`{f'{name} {metavar}'.strip()}`" for name in names)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""
