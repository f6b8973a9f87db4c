"""The page has all that the terminal has, is read without JavaScript, loads nothing, and escapes every name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from srcnn.tuning.watch.page import Commands, policy, render, render_live
from srcnn.tuning.watch.state import WatchedSearch

from report_store import Page
from watch_states import HOSTILE, put, state, trial

TRIALS = (
    trial("paper", (0.1, 0.5), reference=True, state="finished"),
    trial("good", (0.2, 0.75), state="stopped"),
    trial("runs", (0.1, 0.25)),
    trial("dead", (), state="failed", failure="DivergenceError: loss is NaN"),
    trial("waits", (0.1,), scale=2, state="waiting"),
)


def page(folder: Path, *trials: dict[str, Any], age: float = 0.0, **fields: Any) -> str:
    return render(WatchedSearch.read(put(folder, state(*trials, **fields), age=age)), Commands())


def words(text: str) -> str:
    return re.sub(r"\s+", " ", Page(text.replace("<", " <")).text)


def test_the_page_tells_the_state(tmp_path: Path) -> None:
    left = {"seconds": 600.0, "error": 120.0}
    decision = {"trial": "runs", "name": "x3 9-1-5 runs", "scale": 3, "kind": "resume", "epoch": 1, "by": "model"}
    shown = words(page(tmp_path, *TRIALS, left=left, decision=decision, limit=3600.0))
    for part in (
        "Search today",
        "Last update:",
        "3 of 12 ended",
        "1 running, 1 waiting, 1 finished, 1 stopped, 1 failed",
        "about 10 min 0 s, give or take 2 min 0 s",
        "0.05 core-hours",
        "time budget 1 h 0 min",
        "Last decision: x3 9-1-5 runs goes on after epoch 1",
        "x3 x3 9-1-5 good +0.750 +0.500 +0.250",  # the best beside the paper's network
        "x3 9-1-5 runs 2/9 +0.250 −0.500 12 s cpu",
        "1 trial: DivergenceError: loss is NaN",
        "x3, 4 trials",
    ):
        assert part in shown, part
    assert "x3 9-1-5 paper the paper's" in shown


def test_a_killed_search_says_so_by_process_and_age(tmp_path: Path) -> None:
    text = page(tmp_path, *TRIALS, pid=2**31 - 1, age=3700)
    shown = words(text)
    assert "killed : the search's process 2147483647 is not on this machine any more" in shown
    assert "Last update: 1 h 1 min ago" in shown
    assert "Were running at the last update" in shown
    assert "time left" not in shown
    assert "refresh" not in re.findall(r'http-equiv="(\w+)"', text)


def test_without_a_state_the_page_waits(tmp_path: Path) -> None:
    text = render(WatchedSearch.read(tmp_path), Commands())
    assert "the search has written no live.json yet" in words(text)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text


def test_it_is_read_without_javascript_and_loads_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, *TRIALS)
    read = Page(text)
    assert set(read.loads) == {"data:,"}
    assert sorted(read.links) == ["#main", "report/", "state.json"]
    # Only without scripts the whole page is loaded again, which loses the focus and the scroll position.
    assert text.count("http-equiv") == 1
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text
    assert not re.search(r"<[^>]+ style=", text)  # which the policy forbids
    assert not re.search(r"<[^>]+ on\w+=", text)


def test_the_policy_allows_only_the_style_and_script_of_the_page() -> None:
    found = policy()
    assert "default-src 'none'" in found and "unsafe" not in found and "http" not in found
    assert len(re.findall(r"'sha256-[\w+/=]{44}'", found)) == 2


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    trials = [
        {**trial("a"), "name": HOSTILE, "device": HOSTILE, "id": HOSTILE},
        {**trial("b", (), state="failed"), "name": HOSTILE, "failure": HOSTILE, "stage": HOSTILE},
    ]
    decision = {"trial": "a", "name": HOSTILE, "scale": 3, "kind": "pause", "epoch": 1, "by": "x", "instead": HOSTILE}
    put(tmp_path, state(*trials, search=HOSTILE, stage=HOSTILE, decision=decision))
    found, commands = WatchedSearch.read(tmp_path), Commands(HOSTILE, HOSTILE)
    plain = render(WatchedSearch.read(put(tmp_path / "plain", state(*TRIALS))), Commands())
    text = render(found, commands)
    assert text.count("<script") == plain.count("<script") == 1
    assert "<img" not in text
    assert HOSTILE in Page(text).text
    assert "<script" not in render_live(found, commands) and "<img" not in render_live(found, commands)


def test_a_refused_file_is_escaped_too(tmp_path: Path) -> None:
    found = WatchedSearch.read(put(tmp_path / "a&b", '{"version": "<script>x</script>"}'))
    assert "<script>x" not in render(found, Commands())


def test_many_trials_are_cut_and_said_so(tmp_path: Path) -> None:
    trials = [trial(str(i), state="stopped") for i in range(600)]
    shown = words(page(tmp_path, *trials))
    assert "and 100 more trials, in the state as JSON" in shown


def test_every_part_that_changes_has_a_name_of_its_own(tmp_path: Path) -> None:
    text = page(tmp_path, *TRIALS)
    parts = re.findall(r'<\w+ id="([\w-]+)" data-live', text)
    assert len(parts) == text.count("data-live") - text.count("[data-live]")
    ids = re.findall(r' id="([\w-]+)"', text)
    assert len(set(ids)) == len(ids)


def test_the_commands_are_shown(tmp_path: Path) -> None:
    found = WatchedSearch.read(put(tmp_path, state(*TRIALS)))
    shown = words(render(found, Commands("optuna-dashboard x/optuna.journal", "mlflow ui")))
    assert "optuna-dashboard x/optuna.journal" in shown and "mlflow ui" in shown
