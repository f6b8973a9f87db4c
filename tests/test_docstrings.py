"""Examples in docstrings give what they say.

`pytest --doctest-modules srcnn` runs the same, but imports every module in every process of the test run.
"""

from __future__ import annotations

import doctest
import importlib

import pytest

from checkout import ROOT

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
FILES = sorted(file for file in (ROOT / "srcnn").rglob("*.py") if ">>> " in file.read_text(encoding="utf-8"))
MODULES = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in FILES]


def test_there_are_examples() -> None:
    assert {"srcnn.imaging.metrics", "srcnn.training.fit"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert found.attempted
    assert not found.failed, capsys.readouterr().out
