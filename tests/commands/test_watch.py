"""The command watch: finds a search by its name, serves its page until Ctrl-C, and refuses other names in one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path

import pytest

from srcnn.commands import watch
from srcnn.errors import SearchError
from srcnn.tuning.driver.optuna_mirror import FILE as JOURNAL
from srcnn.tuning.watch.server import WatchServer

from checkout import EXPERIMENTS, ROOT
from command_parts import refusal
from watch_states import put, state, trial


def test_the_newest_search_is_watched_unless_one_is_named(tmp_path: Path) -> None:
    for age, name in enumerate(("today", "yesterday", "long ago")):
        file = put(tmp_path / name, state(trial("a"))) / "live.json"
        os.utime(file, (file.stat().st_mtime - 1000 * age,) * 2)
    (tmp_path / "earlier version").mkdir()
    (tmp_path / "earlier version" / "search.json").touch()
    assert watch.find_folder(str(tmp_path), None).name == "today"
    for name in ("yesterday", "earlier version"):
        assert watch.find_folder(str(tmp_path), name) == tmp_path.resolve() / name
    with pytest.raises(SearchError, match=r"no search 'tody' in .*; the nearest names are today$"):
        watch.find_folder(str(tmp_path), "tody")
    with pytest.raises(
        SearchError, match=r"no search '\.\./none' in .*; the newest are today, yesterday, long ago, earlier version$"
    ):
        watch.find_folder(str(tmp_path), "../none")


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "today", state())
    for wrong, words in (
        (["tomorrow", "--storage", str(tmp_path)], "no search 'tomorrow'"),
        (["--storage", str(tmp_path / "none")], f"storage: there is no search in {tmp_path / 'none'}"),
        (["today", "--storage", str(tmp_path), "--port", "99999"], "--port: must be at most 65535, but got 99999"),
        (["today", "--prot", "1"], "--prot: no such flag; did you mean --port"),
    ):
        assert words in refusal(watch.main, wrong, capsys)


def test_the_page_is_opened_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(WatchServer, "run", lambda server: server._http.server_close())
    put(tmp_path / "today", state(trial("a")))
    (tmp_path / "today" / JOURNAL).touch()
    assert watch.main(["--storage", str(tmp_path), "--open"]) == 0
    out = capsys.readouterr().out
    assert len(opened) == 1 and f"today: {opened[0]}\n" in out
    assert f"optuna-dashboard {tmp_path / 'today' / JOURNAL}" in out


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    put(tmp_path / "today", state(trial("a"), pid=2**31 - 1))
    command = [sys.executable, str(EXPERIMENTS / "watch.py"), "today", "--storage", str(tmp_path)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits it if a shell has it ignored
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        address = re.fullmatch(r"today: (http://127\.0\.0\.1:\d+/)\n", lines[0])
        assert address is not None, lines
        assert lines[1].startswith("killed: the search's process 2147483647 is not on this machine any more")
        assert "Ctrl-C ends this page, not the search" in lines[2]
        with urllib.request.urlopen(address[1], timeout=20) as answer:
            assert "x3 9-1-5 a" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, "")
    finally:
        signal.signal(signal.SIGINT, before)
        process.kill()
        process.communicate()
