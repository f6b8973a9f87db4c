"""The command runs: a trial is explained. What it verifies and repairs: tests/tuning/whole_search/test_consistency.py."""

from __future__ import annotations

import re

import pytest

from srcnn.commands import runs

from command_parts import refusal
from past_store import PastStore


def test_runs_explains_a_trial(past: PastStore, capsys: pytest.CaptureFixture[str]) -> None:
    store = ["--tracking-uri", past.uri]
    assert runs.main(["--why", "ab", *store]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Trial ab_00001 of earlier, x3 5-1-3 (8-4): no decision about it was recorded")
    for wrong, words in (
        (["--why", "ac_00001", *store], "trial 'ac_00001' does not exist; the nearest names are ab_00001"),
        (
            ["list", "--why", "ab", *store],
            "command: must be list, verify or repair, or --why TRIAL instead, but got both",
        ),
        (store, "but got neither"),
    ):
        assert words in refusal(runs.main, wrong, capsys)


def test_the_list_never_cuts_a_name(
    past: PastStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a-name-of-seventy-characters-" + "x" * 41
    past.open(name)
    past.close()
    store = ["list", "--tracking-uri", past.uri]
    monkeypatch.setenv("COLUMNS", "80")
    assert runs.main(store) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "kind", "status", "started", "MLflow", "run"]
    assert any(re.fullmatch(rf"{name}  search +FINISHED +\S+ \S+ +[0-9a-f]{{32}}", line) for line in lines)
    assert any(line.startswith("earlier  ") for line in lines)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal of this width
    assert runs.main(store) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{name}  search" in lines
    assert max(map(len, lines)) <= 80
