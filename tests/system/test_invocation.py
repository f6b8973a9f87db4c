"""A message names a command as its reader types it: in the checkout, and as the installed program."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from srcnn.system import invocation
from srcnn.system.invocation import as_typed, command, console_name

TEXT = "python experiments/runs.py verify NAME; experiments/report.py writes it; see experiments/results/README.md"


def test_in_the_checkout_it_is_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["experiments/search.py", "--dry-run"])
    assert console_name() is None
    assert command("search") == "python experiments/search.py"
    assert command("nothing") == "srcnn nothing"
    assert as_typed(TEXT) == TEXT


@pytest.mark.parametrize("program", ["/opt/env/bin/srcnn", "srcnn", "srcnn.exe"])
def test_the_installed_program_names_itself(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(sys, "argv", [program, "runs", "list"])
    assert console_name() == "srcnn runs"
    assert command("search") == "srcnn search"
    assert as_typed(TEXT) == "srcnn runs verify NAME; srcnn report writes it; see experiments/results/README.md"
    monkeypatch.setattr(sys, "argv", [program])
    assert console_name() == "srcnn"


def test_without_a_checkout_there_are_no_scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(invocation, "_SCRIPTS", tmp_path / "experiments")
    monkeypatch.setattr(sys, "argv", ["notebook"])
    assert command("search") == "srcnn search"
    assert as_typed("python experiments/search.py --resume x") == "srcnn search --resume x"
