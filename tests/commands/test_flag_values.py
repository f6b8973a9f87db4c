"""Values of flags: whole numbers between bounds, and what may not be empty."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from srcnn.commands.flag_values import path, text, threads, whole


def test_whole_numbers_between_their_bounds() -> None:
    read = whole(-2, 30)
    assert [read("-2"), read(" 7 "), read("+30"), read("007")] == [-2, 7, 30, 7]
    for given in ("-3", "31", "9" * 18):
        with pytest.raises(ArgumentTypeError, match=r"must be at (least -2|most 30), but got "):
            read(given)
    # int() would read the next three.
    for given in ("\u0663", "1_0", "9" * 5000, "", "\u00b2", "1.0", "nan", "0x1"):
        with pytest.raises(ArgumentTypeError, match="must be a whole number from -2 to 30, but got "):
            read(given)


def test_threads_have_a_bound() -> None:
    assert threads("1024") == 1024
    with pytest.raises(ArgumentTypeError, match="must be at most 1024, but got 1025"):
        threads("1025")


def test_paths_and_names_are_not_empty() -> None:
    assert (path("a/b"), text(" a")) == (Path("a/b"), " a")
    for read in (path, text):
        for given in ("", "  ", "\t"):
            with pytest.raises(ArgumentTypeError, match="must not be empty, but got"):
                read(given)
