"""Numbers in text form: sizes (``9-1-5``), lists (``1,1,0.1``), amounts of training pixels (``60M``), counts (``1 seed``)."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from srcnn.errors import ConfigError

__all__ = ["Numbers", "Pixels", "Sizes", "counted", "format_sizes", "parse_pixels"]

_PIXELS = re.compile(r"^(\d+(?:\.\d*)?(?:e\+?\d+)?)\s*([kmg]?)$", re.IGNORECASE | re.ASCII)
_PIXELS_RULE = "must be a number of training pixels such as 8M, 500k or 8e6"
_DIGITS = 18  # more than any size has
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def _split_integers(value: object) -> object:
    if isinstance(value, str):
        parts = value.replace(",", "-").split("-")
        if not all(p.strip().isdecimal() and p.isascii() for p in parts):  # "²" is a digit, and int() does not read it
            raise ValueError("must be whole numbers joined by '-', such as 9-1-5")
        if any(
            len(p.strip()) > _DIGITS for p in parts
        ):  # int() would refuse more than 4300 digits with advice for programmers
            raise ValueError(f"must be whole numbers of at most {_DIGITS} digits")
        return tuple(int(p) for p in parts)
    return tuple(value) if isinstance(value, list) else value


def _split_numbers(value: object) -> object:
    if isinstance(value, str):
        try:
            if not value.isascii():  # float() reads the digits of every script
                raise ValueError
            return tuple(float(p) for p in value.split(",") if p.strip())
        except ValueError:
            raise ValueError("must be numbers joined by ',', such as 1,1,0.1") from None
    return tuple(value) if isinstance(value, list) else value


def _read_pixels(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _PIXELS.match(value.strip())
    if not match or not float(match[1]):
        raise ValueError(_PIXELS_RULE)
    return float(match[1]) * _UNITS[match[2].lower()]


def parse_pixels(text: str, name: str) -> float:
    """Convert text such as ``8M`` to a number of training pixels (8e6). The suffixes k, M, G and numbers such as 8e6 are valid.

    >>> parse_pixels("8M", "budget"), parse_pixels("500k", "budget"), parse_pixels("8e6", "budget")
    (8000000.0, 500000.0, 8000000.0)

    Raises:
        ConfigError: the text is not such a number. The message begins with ``name``.
    """
    try:
        return float(str(_read_pixels(text)))
    except ValueError:
        raise ConfigError(f"{name}: {_PIXELS_RULE}, but got {text!r}") from None


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: singular for 1, else plural.

    >>> counted(1, "seed"), counted(5, "seed"), counted(0, "match", "matches")
    ('1 seed', '5 seeds', '0 matches')

    Args:
        count: the number of things.
        one: the noun for one thing.
        many: the noun for several; None: ``one`` followed by s.
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def format_sizes(sizes: tuple[int, ...]) -> str:
    """Format sizes as in the papers: ``(9, 1, 5)`` gives ``"9-1-5"``.

    >>> format_sizes((9, 1, 5))
    '9-1-5'
    """
    return "-".join(map(str, sizes))


Sizes = Annotated[tuple[int, ...], BeforeValidator(_split_integers)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_numbers)]
Pixels = Annotated[float, BeforeValidator(_read_pixels)]
