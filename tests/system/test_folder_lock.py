"""The lock of a folder, held by real processes, with records of other machines."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srcnn.errors import SearchError, SearchRunningError
from srcnn.system import folder_lock
from srcnn.system.folder_lock import LOCK_FILE, locked, refuse_if_locked

WHAT = "name: the search a"
HOLD = """
import sys, time
from pathlib import Path
from srcnn.system.folder_lock import locked
with locked(Path(sys.argv[1]), "name: the search a"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder_in(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def record(folder: Path, **changes: object) -> None:
    folder.mkdir(exist_ok=True)
    one = {"pid": 41, "host": "elsewhere", "machine": "another-kernel", "since": "2026-01-01T00:00:00+00:00", **changes}
    (folder / LOCK_FILE).write_text(json.dumps(one), encoding="utf-8")


def test_another_process_is_refused_with_the_holder_until_that_is_killed(tmp_path: Path) -> None:
    process = holder_in(tmp_path)
    try:
        expected = rf"^name: the search a is running already: process {process.pid} on {socket.gethostname()}, since 20"
        before = (tmp_path / LOCK_FILE).read_bytes()
        with pytest.raises(SearchRunningError, match=expected):
            refuse_if_locked(tmp_path, WHAT)
        with pytest.raises(SearchRunningError, match=expected), locked(tmp_path, WHAT):
            pass
        assert (tmp_path / LOCK_FILE).read_bytes() == before
    finally:
        ended(process)
    assert json.loads((tmp_path / LOCK_FILE).read_bytes())["pid"] == process.pid  # what a killed process leaves
    refuse_if_locked(tmp_path, WHAT)
    with locked(tmp_path, WHAT):
        assert json.loads((tmp_path / LOCK_FILE).read_bytes())["pid"] == os.getpid()


def test_one_process_cannot_hold_it_twice_but_one_after_the_other(tmp_path: Path) -> None:
    with locked(tmp_path, WHAT), pytest.raises(SearchRunningError), locked(tmp_path, WHAT):
        pass
    with locked(tmp_path / "new" / "folder", WHAT):
        pass
    with locked(tmp_path, WHAT):
        pass
    assert (tmp_path / LOCK_FILE).read_bytes() == b""


def test_an_error_inside_the_block_releases_it(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path, WHAT):
        _ = 1 / 0
    refuse_if_locked(tmp_path, WHAT)


def test_a_look_at_a_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    refuse_if_locked(tmp_path / "none", WHAT)
    assert list(tmp_path.iterdir()) == []


def test_a_child_of_a_fork_does_not_keep_it(tmp_path: Path) -> None:
    with locked(tmp_path, WHAT):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    try:
        refuse_if_locked(tmp_path, WHAT)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_holder_on_another_machine_counts_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    record(tmp_path)
    with pytest.raises(
        SearchRunningError, match=r"process 41 on elsewhere, .*another machine.*wait until it is 60 s old"
    ):
        refuse_if_locked(tmp_path, WHAT)
    old = time.time() - 61
    os.utime(tmp_path / LOCK_FILE, (old, old))
    refuse_if_locked(tmp_path, WHAT)
    with locked(tmp_path, WHAT):
        pass


def test_a_container_with_another_name_on_this_machine_is_no_other_machine(tmp_path: Path) -> None:
    record(tmp_path, machine=folder_lock._machine(), host="old-container")
    with locked(tmp_path, WHAT):  # fresh, but not locked: it was killed
        pass


def test_without_such_locks_the_process_number_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "_flock", lambda *_: None)
    record(tmp_path, machine=folder_lock._machine(), pid=os.getpid())
    with pytest.raises(SearchRunningError, match=f"process {os.getpid()} on elsewhere"):
        refuse_if_locked(tmp_path, WHAT)
    for gone in (2**22 + 1, 2**80, -1, 0, "x", None):
        record(tmp_path, machine=folder_lock._machine(), pid=gone)
        refuse_if_locked(tmp_path, WHAT)


def test_the_holder_renews_its_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "_BEAT", 0.01)
    with locked(tmp_path, WHAT):
        os.utime(tmp_path / LOCK_FILE, (0, 0))
        for _ in range(1000):
            if (tmp_path / LOCK_FILE).stat().st_mtime > 0:
                break
            time.sleep(0.01)
        assert (tmp_path / LOCK_FILE).stat().st_mtime > 0


@pytest.mark.parametrize("text", ["", "[" * 100_000, "{", "[1]", '{"pid": 1}', "\0" * 9, '{"machine": 3, "pid": [1]}'])
def test_a_damaged_record_blocks_nothing_for_long(tmp_path: Path, text: str) -> None:
    file = tmp_path / LOCK_FILE
    file.write_text(text, encoding="utf-8")
    old = time.time() - 61
    os.utime(file, (old, old))
    with locked(tmp_path, WHAT):
        pass


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    for kind in ("pipe", "folder", "link"):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "pipe":
            os.mkfifo(folder / LOCK_FILE)
        elif kind == "folder":
            (folder / LOCK_FILE).mkdir()
        else:
            (folder / LOCK_FILE).symlink_to("/dev/zero")
        with pytest.raises(SearchError, match=rf"^storage: .*{LOCK_FILE} (must be a file|cannot be)[^\n]*$"):
            refuse_if_locked(folder, WHAT)
        with (
            pytest.raises(SearchError, match=rf"^storage: .*{LOCK_FILE} (must be a file|cannot be)[^\n]*$"),
            locked(folder, WHAT),
        ):
            pass


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refuse_if_locked(tmp_path / "file", WHAT)
    with pytest.raises(SearchError, match=r"^storage: .* cannot be written"), locked(tmp_path / "file", WHAT):
        pass
