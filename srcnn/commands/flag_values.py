"""Values of flags that are checked when they are read: whole numbers between bounds, and paths and names that are not empty.

`int` of Python reads the digits of every script, and underscores; a path that is empty is the present folder, which nobody means
who typed ``--out "$FOLDER"``.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

__all__ = ["MOST_THREADS", "path", "text", "threads", "whole"]

MOST_THREADS = 1024  #: more cores than any machine that torch's threads were made for
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a function for ``type=`` of argparse that reads a whole number from ``lowest`` to ``highest``."""

    def read(given: str) -> int:
        number = int(given) if _WHOLE.fullmatch(given.strip()) else None
        if number is None:
            raise ArgumentTypeError(f"must be a whole number from {lowest} to {highest}, but got {given[:100]!r}")
        if number < lowest:
            raise ArgumentTypeError(f"must be at least {lowest}, but got {number}")
        if number > highest:
            raise ArgumentTypeError(f"must be at most {highest}, but got {number}")
        return number

    return read


#: Reads a number of threads.
threads = whole(1, MOST_THREADS)


def text(given: str) -> str:
    """Return what was given, for ``type=`` of argparse; refuse nothing but spaces."""
    if not given.strip():
        raise ArgumentTypeError(f"must not be empty, but got {given!r}")
    return given


def path(given: str) -> Path:
    """Return the path that was given, for ``type=`` of argparse; refuse an empty one."""
    return Path(text(given))
