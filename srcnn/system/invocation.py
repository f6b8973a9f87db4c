"""How this program was started, so that messages name commands in the way that the reader can type them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["as_typed", "command", "console_name"]

_CONSOLE = "srcnn"  # name of the installed program
_SCRIPTS = (
    Path(__file__).parents[2] / "experiments"
)  # beside the package in a checkout; elsewhere there is no such folder
_NAMED = re.compile(r"(?:python )?experiments/(\w+)\.py")


def console_name() -> str | None:
    """Return ``srcnn NAME`` if this process is the installed program ``srcnn`` with command NAME, else None."""
    if Path(sys.argv[0]).stem != _CONSOLE:
        return None
    return " ".join([_CONSOLE, *sys.argv[1:2]])


def command(name: str) -> str:
    """Return what a person types to run a command, without its flags.

    ``srcnn NAME`` for the installed program and outside a checkout; ``python experiments/NAME.py`` otherwise.
    """
    if console_name() is None and (_SCRIPTS / f"{name}.py").is_file():
        return f"python experiments/{name}.py"
    return f"{_CONSOLE} {name}"


def as_typed(text: str) -> str:
    """Replace the commands ``python experiments/NAME.py`` in a text by what `command` returns for them."""
    if console_name() is None and _SCRIPTS.is_dir():
        return text
    return _NAMED.sub(lambda match: command(match[1]), text)
