"""The report that a search has so far: written by a process of its own, seldom, and replaced by the finished one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from srcnn.tuning.driver.live_state import FILE
from srcnn.tuning.watch import report_so_far
from srcnn.tuning.watch.report_so_far import PAGE, ReportSoFar
from srcnn.tuning.watch.state import WatchedSearch

from report_store import Store, a_whole_search, store
from watch_states import put, state, trial

__all__ = ["store"]


def wait_for(so_far: ReportSoFar, found: WatchedSearch) -> Path | None:
    until = time.monotonic() + 240
    while so_far.newest(found) is None and so_far.coming and time.monotonic() < until:
        time.sleep(0.1)
    return so_far.newest(found)


def test_the_program_writes_the_report_of_a_search(store: Store) -> None:
    a_whole_search(store)
    assert report_so_far.main([store.uri, "whole", str(store.folder / "out")]) == 0
    assert "trial 9" in (store.folder / "out" / PAGE).read_text(encoding="utf-8")


def test_a_report_is_made_on_demand_and_not_too_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that takes no time stands for the real one, which test_in_browser.py runs."""
    lines = ("import sys, pathlib", "uri, name, folder = sys.argv[1:]", "pathlib.Path(folder).mkdir(parents=True)")
    program = "\n".join([*lines, "pathlib.Path(folder, 'report.html').write_text(f'{name} in {uri}')"])
    (tmp_path / "quick_report.py").write_text(program, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(report_so_far, "_PROGRAM", "quick_report")
    folder = put(tmp_path / "today", state(trial("a"), about={"tracking_uri": "sqlite:///x"}))
    so_far, found = ReportSoFar(folder, tmp_path / "reports"), WatchedSearch.read(folder)
    assert so_far.newest(found) is None and so_far.coming
    assert "is being written" in so_far.words
    made = wait_for(so_far, found)
    assert made is not None and (made / PAGE).read_text() == "today in sqlite:///x"
    # Neither without news, nor soon after the last one, another is made.
    put(folder, state(trial("b")))
    assert so_far.newest(WatchedSearch.read(folder)) == made and not so_far.coming
    so_far._every = 0.0
    assert so_far.newest(found) == made and not so_far.coming
    assert so_far.newest(WatchedSearch.read(folder)) == made and so_far.coming
    while so_far.coming:
        time.sleep(0.02)
    newer = so_far.newest(WatchedSearch.read(folder))
    assert newer is not None and newer != made
    until = time.monotonic() + 20
    while made.exists() and time.monotonic() < until:  # the thread removes it last
        time.sleep(0.02)
    assert not made.exists()


def test_the_finished_report_comes_first_if_it_is_newer(tmp_path: Path) -> None:
    folder = put(tmp_path / "today", state(trial("a"), state="ended"))
    page = tmp_path / "reports" / "today" / PAGE
    page.parent.mkdir(parents=True)
    page.touch()
    assert ReportSoFar(folder, tmp_path / "reports").newest(WatchedSearch.read(folder)) == page.parent
    # One that an earlier end of the same search has left is not of now.
    os.utime(page, (0, 0))
    assert ReportSoFar(folder, tmp_path / "reports", every=1e9)._finished(WatchedSearch.read(folder)) is None
    put(folder, state(trial("a")))
    page.touch()
    os.utime(folder / FILE, (0, 0))
    assert ReportSoFar(folder, tmp_path / "reports")._finished(WatchedSearch.read(folder)) is None


def test_what_goes_wrong_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert report_so_far.main(["nonsense://store", "today", str(tmp_path / "report")]) == 2
    assert capsys.readouterr().err.startswith("tracking-uri: must be sqlite:///FILE, ")
    monkeypatch.setattr(report_so_far, "_PROGRAM", "srcnn_nothing")
    folder = put(tmp_path / "today", state(trial("a")))
    so_far, found = ReportSoFar(folder, tmp_path / "reports"), WatchedSearch.read(folder)
    assert wait_for(so_far, found) is None
    assert so_far.words.startswith("The report could not be written: ") and "srcnn_nothing" in so_far.words
    assert "\n" not in so_far.words


def test_a_process_that_cannot_be_started_or_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path / "today", state(trial("a")))
    found = WatchedSearch.read(folder)
    monkeypatch.setattr(report_so_far, "_LONGEST", 0.01)
    so_far = ReportSoFar(folder, tmp_path / "reports")
    assert wait_for(so_far, found) is None
    assert "timed out" in so_far.words
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    so_far = ReportSoFar(folder, tmp_path / "reports")
    assert wait_for(so_far, found) is None
    assert "No such file" in so_far.words


def test_without_a_state_there_is_no_report(tmp_path: Path) -> None:
    so_far = ReportSoFar(tmp_path, tmp_path / "reports")
    assert so_far.newest(WatchedSearch.read(tmp_path)) is None
    assert not so_far.coming and so_far.words == "There is no report yet."
