"""Points at which a process changes files or an MLflow store, and a fault at one of them.

`watch` replaces the functions of Python that change files (opening for writing, writing, flushing to disk, renaming, deleting,
making folders and links) and the methods of MLflow's client that write. Each call below one of the watched folders is a point.
A point is named by what it does, to which kind of file, and by which function of this project (else of Ray, Optuna or MLflow), so
that it has the same name in every run. Calls with the same name are counted.

What is written by C code is not seen: SQLite's file (the calls of MLflow's client stand for it), Pillow's JPEG encoder, and Ray's
own copies of its state.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FAULTS", "Fault", "Point", "watch"]

#: Kinds of faults. ``kill``: SIGKILL before the call. ``torn``: SIGKILL after half of what the call writes, or after a call of
#: MLflow's client. ``eio``: this call alone fails with an input/output error. ``lost``: a call of MLflow's client is done, and
#: its answer is lost. ``enospc``: from this call on, every call that needs space fails.
FAULTS = ("kill", "torn", "eio", "lost", "enospc")

_SPACE = {"open", "write", "mkdir", "link", "store"}  # operations that need space on the disk
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STORE = (
    *("create_experiment", "create_run", "update_run", "log_batch", "log_inputs", "log_artifact", "log_text"),
    *("set_terminated", "set_tag", "set_experiment_tag", "delete_tag", "create_registered_model"),
    *("create_model_version", "set_registered_model_alias", "set_model_version_tag"),
)
_CHANGING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=\.fetching-)[^/]+|\btmp[a-z0-9_]{8}\b|[0-9a-f]{8,}|\d+"
)  # parts of a file's name that differ between runs
_OURS, _OTHERS = (
    re.compile(r"[/\\](srcnn[/\\].*)\.py$"),
    re.compile(r"site-packages[/\\]((?:ray|optuna|mlflow)[/\\].*)\.py$"),
)
_PASSED_ON = ("srcnn/system/atomic_file",)  # modules that write for others


@dataclass(frozen=True)
class Point:
    """A point: its name, and which of the calls with this name."""

    name: str  #: operation, kind of file, function
    count: int  #: from 1

    @property
    def operation(self) -> str:
        """What is done: open, write, truncate, fsync, rename, unlink, mkdir, rmdir, link, store."""
        return self.name.partition(" ")[0]

    def __str__(self) -> str:
        return f"{self.name} #{self.count}"


@dataclass(frozen=True)
class Fault:
    """A fault at a point."""

    kind: str  #: one of `FAULTS`
    point: Point

    @property
    def possible(self) -> bool:
        """Whether the kind can happen at this point."""
        operation = self.point.operation
        if self.kind == "torn":
            return operation in ("write", "store")
        if self.kind == "lost":
            return operation == "store"
        return self.kind != "enospc" or operation in _SPACE


class _Watch:
    def __init__(self, folders: Sequence[Path], fault: Fault | None, log: Path | None) -> None:
        self._folders = [os.path.realpath(folder) for folder in folders]
        self._fault, self._counts, self._lock = fault, Counter[str](), threading.RLock()
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._write, self._full, self._busy = os.write, False, threading.local()

    def place(self, path: Any, dir_fd: int | None = None) -> str | None:
        """Return the path below a watched folder; None: another file."""
        try:
            if isinstance(path, int):
                whole = os.readlink(f"/proc/self/fd/{path}")
            else:
                whole = os.fsdecode(path)
                if not os.path.isabs(whole):
                    whole = os.path.join(
                        os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}"), whole
                    )
        except (OSError, TypeError, ValueError):
            return None
        for folder in self._folders:
            if whole.startswith(f"{folder}/"):
                return whole[len(folder) + 1 :]
        return None

    def step(self, operation: str, place: str, call: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """Do a call that is a point, unless the fault is there; calls inside of it are no points of their own."""
        if getattr(self._busy, "now", False):
            return call()
        name = f"{operation} {_CHANGING.sub('*', place)} in {_caller()}"
        with self._lock:
            self._counts[name] += 1
            point = Point(name, self._counts[name])
        if self._log is not None:
            self._write(self._log, f"{json.dumps([point.name, point.count])}\n".encode())
        kind = None if self._fault is None or self._fault.point != point else self._fault.kind
        if kind == "enospc":
            self._full = True
        if self._full and operation in _SPACE:
            raise _error(operation, errno.ENOSPC, place)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "eio":
            raise _error(operation, errno.EIO, place)
        self._busy.now = operation == "store"
        try:
            if kind == "torn":
                try:
                    (half or call)()
                finally:
                    os.kill(os.getpid(), signal.SIGKILL)
            answer = call()
        finally:
            self._busy.now = False
        if kind == "lost":
            raise _error(operation, errno.EIO, place)
        return answer


def _error(operation: str, number: int, place: str) -> Exception:
    if operation == "store":
        from mlflow.exceptions import MlflowException

        said = "database or disk is full" if number == errno.ENOSPC else "disk I/O error"
        error: Exception = MlflowException(f"(sqlite3.OperationalError) {said}")  # what its SQL store raises
        return error
    if operation in ("write", "truncate", "fsync"):  # of an open file: without a name
        return OSError(number, os.strerror(number))
    return OSError(number, os.strerror(number), place)


def _caller() -> str:
    frame, other, passed = sys._getframe(2), "", ""
    while frame is not None:
        code = frame.f_code
        if (ours := _OURS.search(code.co_filename)) is not None:
            module = ours[1].replace("\\", "/")
            if module not in _PASSED_ON:
                return f"{module}:{code.co_name}"
            passed = passed or f"{module}:{code.co_name}"
        elif not other and (found := _OTHERS.search(code.co_filename)) is not None:
            other = f"{found[1]}:{code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return passed or other or "elsewhere"


def watch(folders: Sequence[Path], fault: Fault | None = None, log: Path | None = None) -> None:
    """Watch this process to its end.

    Args:
        folders: what is written below them is a point.
        fault: the fault; None: none.
        log: file to which each point is appended, as a JSON list of its name and count; it lies outside of the folders.
    """
    _patch_files(one := _Watch(folders, fault, log))
    if "mlflow" in sys.modules:
        _patch_store(one)


def _patch_store(one: _Watch) -> None:
    from mlflow.tracking import MlflowClient

    for name in _STORE:
        method = getattr(MlflowClient, name)

        def called(self: Any, *given: Any, _method: Any = method, _name: str = name, **named: Any) -> Any:
            return one.step("store", _name, lambda: _method(self, *given, **named))

        setattr(MlflowClient, name, called)


def _patch_files(one: _Watch) -> None:
    for name, operation in _CALLS.items():
        setattr(os, name, _call(one, getattr(os, name), operation))
    os.open = _os_open(one, os.open)
    os.write = _os_write(one, os.write)
    os.sendfile = _os_sendfile(one, os.sendfile)
    builtins.open = io.open = _open(one, io.open)


_CALLS = {
    **dict.fromkeys(("replace", "rename", "renames"), "rename"),
    **dict.fromkeys(("unlink", "remove"), "unlink"),
    **dict.fromkeys(("link", "symlink"), "link"),
    "mkdir": "mkdir",
    "rmdir": "rmdir",
    "fsync": "fsync",
    "fdatasync": "fsync",
    "ftruncate": "truncate",
    "truncate": "truncate",
}


def _call(one: _Watch, before: Callable[..., Any], operation: str) -> Callable[..., Any]:
    last = operation in ("rename", "link")  # the second path is the one that changes

    def called(*given: Any, **named: Any) -> Any:
        path = given[1] if last and len(given) > 1 else given[0] if given else next(iter(named.values()))
        place = one.place(path, named.get("dst_dir_fd" if last else "dir_fd"))
        return before(*given, **named) if place is None else one.step(operation, place, lambda: before(*given, **named))

    return called


def _os_open(one: _Watch, before: Callable[..., int]) -> Callable[..., int]:
    def called(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = one.place(path, dir_fd) if flags & _CHANGES else None
        if place is None:
            return before(path, flags, mode, dir_fd=dir_fd)
        return int(one.step("open", place, lambda: before(path, flags, mode, dir_fd=dir_fd)))

    return called


def _os_write(one: _Watch, before: Callable[..., int]) -> Callable[..., int]:
    def called(number: int, data: bytes) -> int:
        place = one.place(number)
        if place is None:
            return before(number, data)
        half = bytes(data)[: len(data) // 2]
        return int(one.step("write", place, lambda: before(number, data), lambda: before(number, half)))

    return called


def _os_sendfile(one: _Watch, before: Callable[..., int]) -> Callable[..., int]:
    def called(target: int, source: int, offset: int, count: int) -> int:
        place = one.place(target)
        if place is None:
            return before(target, source, offset, count)
        half = max(1, os.fstat(source).st_size // 2)
        return int(
            one.step(
                "write",
                place,
                lambda: before(target, source, offset, count),
                lambda: before(target, source, offset, half),
            )
        )

    return called


class _File(io.FileIO):
    """A file whose writes are points."""

    def __init__(self, one: _Watch, place: str, file: Any, mode: str, closefd: bool, opener: Any) -> None:
        self._one, self._place = one, place
        super().__init__(file, mode, closefd, opener)

    def write(self, data: Any) -> int:
        half = bytes(data)[: len(bytes(data)) // 2]
        keep = super().write
        return int(self._one.step("write", self._place, lambda: keep(data), lambda: keep(half)))

    def truncate(self, size: int | None = None) -> int:
        keep = super().truncate
        return int(self._one.step("truncate", self._place, lambda: keep(size)))


def _open(one: _Watch, before: Callable[..., Any]) -> Callable[..., Any]:
    def called(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        changes = any(letter in mode for letter in "wax+")
        place = one.place(file) if changes else None
        if place is None:
            return before(file, mode, buffering, encoding, errors, newline, closefd, opener)
        plain = mode.replace("b", "").replace("t", "")

        def make() -> _File:
            return _File(one, place, file, plain, closefd, opener)

        raw: _File = make() if isinstance(file, int) else one.step("open", place, make)
        if buffering == 0:
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering < 2 else buffering
        kind: Any = io.BufferedRandom if "+" in mode else io.BufferedWriter
        buffer = kind(raw, size)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline, buffering == 1)

    return called
