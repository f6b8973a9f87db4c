"""A lock on a folder, so that at most one process works in it, on this machine or on another one that reaches it.

The lock is a file that its holder keeps locked with ``flock``; the system releases it when the process ends, however it ends. So
what a killed process left never blocks the next one. The file says who holds it: process, host, and time. The holder also renews
the time of the file every few seconds. This matters where ``flock`` is no evidence, because the holder is on another machine, or
the file system has no such locks: there, a holder that has not renewed it for a minute counts as dead. Two processes of one
machine are told from two of different ones by the identity of the running kernel, which containers share and host names do not.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from srcnn.errors import SearchError, SearchRunningError

__all__ = ["LOCK_FILE", "locked", "refuse_if_locked"]

LOCK_FILE = "running.lock"  #: name of the file in the folder; it stays there, empty, when nobody works in it
_BEAT = 10.0  # seconds between two renewals
_SILENT = 60.0  # seconds without a renewal after which a holder on another machine counts as dead
_TRIES, _PAUSE = 5, 0.05  # `refuse_if_locked` of another process holds the lock for a moment
_LONGEST = 4096  # bytes of the file that are read
# A pipe or a link of that name is no lock. Windows has none of these flags.
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Hold the lock of a folder inside the block; the folder is created.

    Args:
        folder: the folder.
        what: what works in it, for messages, such as ``name: the search a``.

    Raises:
        SearchRunningError: another process holds it; the message names the process, its host and its start.
        SearchError: the folder cannot be written, or the lock is not a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
    except OSError as error:
        where = folder / LOCK_FILE if folder.is_dir() else folder
        raise SearchError(f"storage: {where} cannot be written ({error.strerror})") from None
    over = threading.Event()
    try:
        _refuse(handle, folder, what, tries=_TRIES)
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, json.dumps(_record()).encode())
        beat = threading.Thread(target=_renew, args=(handle, over), name="folder lock", daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()
            with suppress(OSError):
                os.ftruncate(handle, 0)
            _unlock(handle)
    finally:
        os.close(handle)


def refuse_if_locked(folder: Path, what: str) -> None:
    """Raise an error if a process holds the lock of a folder, which may not exist. Nothing is written.

    Args:
        folder, what: as for `locked`.

    Raises:
        SearchRunningError: a process holds it.
        SearchError: the lock is not a file, or cannot be read.
    """
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY | _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SearchError(f"storage: {folder / LOCK_FILE} cannot be read ({error.strerror})") from None
    try:
        _refuse(handle, folder, what)
    finally:
        os.close(handle)  # releases the lock


def _renew(handle: int, over: threading.Event) -> None:
    while not over.wait(_BEAT):
        with suppress(OSError):  # a full disk or a server that is away for a while
            os.utime(handle)


def _refuse(handle: int, folder: Path, what: str, *, tries: int = 1) -> None:
    """Lock the open file, or raise an error if another process works in the folder."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise SearchError(f"storage: {folder / LOCK_FILE} must be a file")
    free = _flock(handle, tries)
    if free is False:
        raise SearchRunningError(_words(what, _read(handle)))
    holder = _read(handle)
    if not holder:
        return
    if holder.get("machine") == _machine():
        if free is None and _is_there(holder.get("pid")):
            raise SearchRunningError(_words(what, holder))
        return
    age = time.time() - status.st_mtime
    if age < _SILENT:
        raise SearchRunningError(
            f"{_words(what, holder)}; that is another machine, whose last sign of life is {max(0.0, age):.0f} s old. If the "
            f"process has ended, wait until it is {_SILENT:.0f} s old, or delete {folder / LOCK_FILE}"
        )


def _flock(handle: int, tries: int) -> bool | None:
    """Lock the file: False if another process has locked it, None if this system or file system has no such locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE)
        except OSError:
            return None
    return False


def _unlock(handle: int) -> None:
    """Release the lock also where a child of a fork still has the file open."""
    if sys.platform != "win32":
        import fcntl

        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def _record() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "machine": _machine(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _read(handle: int) -> Mapping[str, object]:
    """Return who holds the lock; empty if nobody does or the file does not say."""
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        found = json.loads(os.read(handle, _LONGEST) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(what: str, holder: Mapping[str, object]) -> str:
    if not holder:
        return f"{what} is running already, in a process that has just begun"
    pid, host, since = (" ".join(str(holder.get(key, "?")).split())[:100] for key in ("pid", "host", "since"))
    return f"{what} is running already: process {pid} on {host}, since {since}"


def _machine() -> str:
    """Return the identity of the running kernel; empty where there is none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return socket.gethostname()


def _is_there(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # it is somebody else's
    return True
