"""The command runs: a trial is explained. What it verifies and repairs: tests/tuning/whole_search/test_consistency.py."""

from __future__ import annotations

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
