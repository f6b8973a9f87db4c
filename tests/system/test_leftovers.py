"""What a killed process left is removed when it is old; what may still be written is not, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srcnn.data import fetch
from srcnn.data.archive import WrongArchive
from srcnn.system import leftovers
from srcnn.system.atomic_file import atomic_write

_OURS = (".writing-0123456789abcdef.json", ".writing-0123456789abcdef", ".writing-01234567", ".fetching-a_b0c1d2")
_NOT_OURS = (".writing-mine.txt", ".writing-0123456789abcdef-notes", ".fetching-", "writing-0123456789abcdef", "a.txt")


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process that begins."""
    monkeypatch.setattr(leftovers, "_seen", set())


def _wait_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 24 * 3600 + 60)


@pytest.fixture
def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    _wait_a_day(monkeypatch)


def _fill(folder: Path) -> None:
    for name in (*_OURS, *_NOT_OURS):
        (folder / name).write_text("half")
    (folder / ".writing-89abcdef" / "inside").mkdir(parents=True)


def _names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_what_is_older_than_a_day_is_removed_and_nothing_else(tmp_path: Path, a_day_later: None) -> None:
    _fill(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("")
    (tmp_path / ".writing-76543210").symlink_to(tmp_path / "elsewhere")
    leftovers.remove_leftovers(tmp_path)
    assert _names(tmp_path) == {*_NOT_OURS, "elsewhere"}
    assert _names(tmp_path / "elsewhere") == {"kept"}  # a link is removed, not what it leads to


def test_what_may_still_be_written_stays(tmp_path: Path) -> None:
    _fill(tmp_path)
    os.utime(tmp_path / _OURS[0], (0, 0))  # its writer has set the time of another file
    before = _names(tmp_path)
    leftovers.remove_leftovers(tmp_path)
    leftovers.remove_leftovers(tmp_path / "missing")
    leftovers.remove_leftovers(tmp_path / "a.txt")
    assert _names(tmp_path) == before


def test_a_process_looks_into_a_folder_once(tmp_path: Path, a_day_later: None) -> None:
    leftovers.remove_leftovers(tmp_path)
    (tmp_path / _OURS[0]).write_text("half")
    leftovers.remove_leftovers(tmp_path)
    assert _names(tmp_path) == {_OURS[0]}


def test_the_file_of_a_killed_process_goes_with_the_next_write_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from srcnn.system.atomic_file import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as file:\n"
        "    file.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")])
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with atomic_write(tmp_path / "a.json") as file:
        file.write_text("whole")
    assert _names(tmp_path) == {"a.json", left.name}
    monkeypatch.setattr(leftovers, "_seen", set())
    _wait_a_day(monkeypatch)
    with atomic_write(tmp_path / "a.json") as file:
        file.write_text("new")
    assert _names(tmp_path) == {"a.json"} and (tmp_path / "a.json").read_text() == "new"


def test_the_folder_of_a_killed_download_goes_with_the_next_one(tmp_path: Path, a_day_later: None) -> None:
    (tmp_path / ".fetching-abcdefgh" / "T91").mkdir(parents=True)
    (tmp_path / "archive.zip").write_text("no archive")
    with pytest.raises(WrongArchive):
        fetch._install("T91", tmp_path / "archive.zip", tmp_path, tmp_path / "T91")
    assert _names(tmp_path) == {"archive.zip"}
