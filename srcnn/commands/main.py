"""The installed program ``srcnn``: finds a command by its name and runs it with the rest of the command line.

The scripts of ``experiments/`` whose commands need the platform start them here too, by `main_of`. Nothing is imported before
the command is known, since torch takes seconds to import and ``srcnn --help`` needs none of it.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import NamedTuple

from srcnn import __version__
from srcnn.errors import ConfigError
from srcnn.system.invocation import command

__all__ = ["COMMANDS", "MODULES", "Entry", "end_without_platform", "main", "main_of", "need_platform"]


class Entry(NamedTuple):
    """A command as ``srcnn --help`` shows it."""

    text: str  #: what it does, in one line
    extra: str = ""  #: extra of the package without which it cannot run; empty: none


#: All commands in the order of the help; the command NAME is ``main`` in the module ``srcnn.commands.NAME``.
COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "upscale": Entry("enlarge photographs"),
        "evaluate": Entry("measure PSNR and SSIM of a network or of bicubic on images"),
        "search": Entry("search for the best network with Ray Tune, Optuna and MLflow", "search"),
        "watch": Entry("show a search in a browser while it runs, or afterwards", "search"),
        "report": Entry("write the report of a search or of a table", "search"),
        "doctor": Entry("check this machine and its software; explain a foreign PSNR"),
        "train": Entry("train one network"),
        "runs": Entry("list searches, verify and repair their records, explain a trial", "search"),
        "data": Entry("list, download, verify and compare the data sets"),
        "export": Entry("write a network for other programs, such as ONNX"),
        "champion": Entry("make the file and the card of a network that comes with the package"),
        "ablation": Entry("reproduce a table of the paper", "search"),
    }
)
#: Extra of the package that installs a module, for modules that the library alone does not need.
MODULES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("ray", "optuna", "mlflow", "bokeh", "jinja2", "markdown_it", "markupsafe"), "search"),
        **dict.fromkeys(
            ("cmaes", "filelock", "matplotlib", "pandas", "requests", "sqlalchemy", "threadpoolctl", "yaml"), "search"
        ),
        **dict.fromkeys(("onnx", "onnxruntime"), "export"),
        **dict.fromkeys(("psycopg",), "cluster"),
    }
)
_WHAT = {"search": "the platform", "export": "the libraries for ONNX", "cluster": "the driver for PostgreSQL"}
_PLATFORM = ("ray", "optuna", "mlflow")
_USAGE = "usage: srcnn COMMAND [flags]     srcnn COMMAND --help shows the flags"


def main(argv: list[str] | None = None) -> int:
    """Run ``srcnn COMMAND ...`` and return the exit code: that of the command, or 2 if it cannot be started.

    Args:
        argv: the command line without the name of the program; default: that of this process.
    """
    arguments = sys.argv[1:] if argv is None else argv
    name, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if name in ("-h", "--help", "help"):
        print(_help())
        return 0 if arguments else 2
    if name in ("-V", "--version"):
        print(f"srcnn {__version__}")
        return 0
    if name not in COMMANDS:
        return _refuse(f"error: {_unknown(name)}")
    return _start(name, rest, f"srcnn {name}")


def main_of(name: str) -> Callable[..., int]:
    """Return the function ``main`` of ``experiments/NAME.py``: it runs a command, or says in one line what must be installed."""

    def main(argv: list[str] | None = None) -> int:
        return _start(name, argv, command(name))

    return main


def need_platform(what: str) -> None:
    """Check that the platform is installed, which a plain installation is without, and set it up to be imported.

    Args:
        what: what needs it, such as the name of a network in an MLflow store.

    Raises:
        ConfigError: it is not installed; the message says how to install it.
    """
    if not all(map(_installed, _PLATFORM)):
        raise ConfigError(_missing(what, "search"))
    from srcnn.tuning import configure

    configure()


def end_without_platform(name: str) -> None:
    """End the program of ``experiments/NAME.py`` with one line and code 2 if the platform is not installed.

    For scripts that are no commands of ``srcnn``, before they import it.
    """
    try:
        need_platform(command(name))
    except ConfigError as error:
        sys.exit(_refuse(str(error)))


def _start(name: str, argv: list[str] | None, typed: str) -> int:
    """Import and run a command; ``typed`` is what the user typed for it."""
    if COMMANDS[name].extra == "search" and not all(map(_installed, _PLATFORM)):
        return _refuse(_missing(typed, "search"))
    try:
        run: Callable[[list[str] | None], int] = import_module(f"srcnn.commands.{name}").main
        return run(argv)
    except ModuleNotFoundError as error:
        extra = MODULES.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _refuse(_missing(typed, extra))


def _help() -> str:
    width = max(map(len, (*COMMANDS, "--version")))
    lines = [f"  {name:{width}}  {entry.text}" for name, entry in COMMANDS.items()]
    others = (f"  {'--version':{width}}  print the version", f"  {'--help':{width}}  print this text")
    return "\n".join(["Search for SRCNN networks, and use them.", "", _USAGE, "", *lines, "", *others])


def _unknown(name: str) -> str:
    kind = "flag" if name.startswith("-") else "command"
    near = difflib.get_close_matches(name, [*COMMANDS, "--version", "--help"], n=3)
    if near:
        return f"srcnn: no such {kind}: {name!r}; did you mean {' or '.join(near)}?"
    return f"srcnn: no such {kind}: {name!r}; there are {', '.join(COMMANDS)}"


def _installed(module: str) -> bool:
    """Return whether a module can be found, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # somebody has blocked it
        return False


def _missing(typed: str, extra: str) -> str:
    return f"{typed}: needs {_WHAT[extra]}; install it with: pip install 'srcnn[{extra}]'"


def _refuse(line: str) -> int:
    print(line, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
