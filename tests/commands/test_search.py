"""The command search, before anything is started; whole searches: tests/tuning/whole_search/."""

from __future__ import annotations

import json
import re

import pytest

from srcnn.commands import search
from srcnn.system.folder_lock import LOCK_FILE

from command_parts import refusal
from past_store import PastStore


def test_a_new_search_says_which_past_ones_overlap(past: PastStore, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "1", "--judging", "1"]
    given += ["--budget", "20k", "--tracking-uri", past.uri, "--dry-run", "--name", "mine"]
    assert search.main(given) == 0
    line = "past searches that overlap: earlier (1 trial); --learn-from all uses them"
    assert line in capsys.readouterr().out
    assert search.main([*given, "--learn-from", "earlier"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"learns from\s+earlier \(1 trial\)", text)
    assert "past searches that overlap" not in text
    for wrong, words in (
        ("earlyer", "did you mean 'earlier'?"),
        ("mine", "the search itself"),
        ("all,earlier", "alone"),
    ):
        assert words in refusal(search.main, [*given, "--learn-from", wrong], capsys)
    narrow = (past.folder / "space.yaml").read_text(encoding="utf-8").replace("[8, 16]", "[16, 32]")
    past.space(narrow)
    assert search.main([*given, "--learn-from", "all"]) == 0
    assert "this search alone: no ended search has a trial that lies in the space" in capsys.readouterr().out
    assert search.main(given) == 0
    assert "past searches" not in capsys.readouterr().out
    assert "earlier must have a trial" in refusal(search.main, [*given, "--learn-from", "earlier"], capsys)
    assert not (past.folder / "mlruns").exists()


def test_a_killed_driver_that_left_only_its_lock_keeps_no_name(
    past: PastStore, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = past.folder / "mlruns/ray/mine" / LOCK_FILE
    lock.parent.mkdir(parents=True)
    lock.write_text("", encoding="utf-8")
    given = ["--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "1", "--judging", "1"]
    given += ["--budget", "20k", "--tracking-uri", past.uri, "--dry-run", "--name", "mine"]
    assert search.main(given) == 0
    (lock.parent / "search.json").write_text("{}", encoding="utf-8")
    assert "a search mine exists; add --resume mine" in refusal(search.main, given, capsys)


def test_a_dry_run_says_what_may_come_in_addition(past: PastStore, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "1", "--judging", "1"]
    given += ["--budget", "20k", "--trials", "9", "--best", "1", "--scale", "3", "--dry-run", "--name", "mine"]
    assert search.main([*given, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    # Three more configurations with the two seeds of choosing and the three of judging.
    assert (plan["further_trials"], plan["expected_seconds"] > 0) == (15, True)
    assert plan["further_seconds"] > 0 and plan["further_hours"] > 0
    assert search.main([*given, "--json", "--allow-artefacts"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [plan[f"further_{name}"] for name in ("trials", "seconds", "hours")] == [0, 0, 0]
    assert search.main(given) == 0
    assert "at most 15 confirmations" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert not (past.folder / "mlruns").exists()
