"""File names on a terminal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from srcnn.system.printable import printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo 1.png", "photo 1.png"),
        ("日本 ü.png", "日本 ü.png"),
        (os.fsdecode(b"a\xff\xfeb"), r"a\xff\xfeb"),
        ("\x1b[31mred\n", r"\x1b[31mred\n"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),  # turns the direction of what follows
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_a_name_is_one_line_that_any_terminal_prints(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert printable(Path(name)) == shown
    printable(name).encode("utf-8")
