"""File names on a terminal: any name is printable in one line, also one that is not UTF-8 or holds control characters."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

__all__ = ["printable"]

#: Unicode categories of control characters, lone surrogates, line and paragraph separators, and marks that change the direction.
_UNPRINTABLE = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])


def printable(name: str | Path) -> str:
    r"""Return a name with what a terminal cannot print safely as escapes.

    Bytes of a name that are no UTF-8 become ``\xNN``.

    >>> printable("a\nb\udcff.png")
    'a\\nb\\xff.png'
    """
    text = str(name)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNPRINTABLE else c for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{os.fsencode(character)[0]:02x}"
    return character.encode("unicode_escape").decode("ascii")
