"""Writing a file: it is complete or does not appear. A device or a pipe is written to, never replaced.

Renaming a new file over the old one is atomic, but it would also rename over whatever else has that name. So the path is looked
at first: a symbolic link is followed, and the file that it names is replaced; a character device, a pipe, or a file that a
process has open (``/dev/stdout``, ``/dev/fd/3``) gets the content written to it; anything else that is not regular is refused.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

from srcnn.system.leftovers import WRITING, remove_leftovers

__all__ = ["atomic_write"]

_LINKS = 40  # links followed before a loop is assumed, as in Linux
_OPEN_FILES = re.compile(r"/proc/(\d+)(?:/task/\d+)?/fd")  # folders whose links stand for files that a process has open


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path; when the block succeeds, put the file that was written there at ``path``.

    A regular file is replaced by a rename, so that it is the old or the new one at any moment, and the folder of a new one is
    created. The temporary file has the suffix of ``path``, because encoders choose their format by it, and the permissions of a
    normal new file. If the block raises an exception, the temporary file is removed and ``path`` does not change. To a device or
    a pipe the content is copied after the block, from a file in the folder for temporary files. What killed processes left in the
    folder is removed (`srcnn.system.leftovers`).

    Raises:
        OSError: the folder or the file cannot be written; ``path`` is a folder, a socket, a block device, a loop of links, a link
            into a folder that does not exist, or a pipe that nobody reads.
    """
    target = _target(path)
    if not _is_stream(target):
        if target != path and not target.parent.is_dir():
            raise _error(errno.ENOENT, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(target.parent)
        with _temporary(target.parent, path) as temporary:
            yield temporary
            with temporary.open("rb+") as file:  # the data must be on disk before the rename
                os.fsync(file.fileno())
            os.replace(temporary, target)
        return
    with _temporary(Path(tempfile.gettempdir()), path) as temporary:
        yield temporary
        with temporary.open("rb") as file, _open_stream(target) as stream:
            shutil.copyfileobj(file, stream)


@contextmanager
def _temporary(folder: Path, path: Path) -> Iterator[Path]:
    """Yield a path in a folder for what will be at ``path``; an error that names the former, or no file, names the latter."""
    # Not tempfile.mkstemp: only the owner may read its files, and os.replace keeps these permissions.
    temporary = folder / f"{WRITING}{secrets.token_hex(8)}{path.suffix}"
    try:
        yield temporary
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """Follow the links at the end of a path, up to a link that stands for an open file.

    `Path.resolve` would follow ``/dev/stdout`` to ``/proc/1/fd/pipe:[2]``, which does not exist, or to the file that the output
    is redirected to, and replacing that file would leave the redirection with the old one.
    """
    found = path
    for _ in range(_LINKS):
        if not found.is_symlink() or _is_open_file(found):
            return found
        found = found.parent / found.readlink()
    raise _error(errno.ELOOP, path)


def _is_open_file(path: Path) -> bool:
    return _OPEN_FILES.fullmatch(os.path.realpath(path.parent)) is not None


def _is_stream(path: Path) -> bool:
    """Tell whether the content is written to what is at a path, instead of replacing it.

    Raises:
        OSError: it is neither a regular file nor something to write to.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISREG(mode):
        return path.is_symlink()  # a redirected output
    if stat.S_ISDIR(mode):
        raise _error(errno.EISDIR, path)
    if not (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "must be a file, a character device or a pipe", str(path))
    return True


@contextmanager
def _open_stream(path: Path) -> Iterator[BufferedWriter]:
    try:
        if (
            path.is_symlink() and path.name.isdecimal()
        ):  # an open file of this process: with its position, not from its start
            number = os.dup(int(path.name))
        else:
            number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)  # a pipe that nobody reads would wait
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise OSError(errno.ENXIO, "is a pipe that no process reads", str(path)) from None
    with open(number, "wb") as stream:
        os.set_blocking(number, True)
        yield stream


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
