"""Seals of files that this user wrote on this machine: HMAC-SHA256 (RFC 2104) under a key that only this user can read.

Some state can only be kept as pickles, and reading a pickle runs whatever code it names. A digest beside the files shows that
they are whole, but whoever makes a file can make its digest. So the digest is made with a key. It lies in the user's state folder
and not beside the files, because a folder that comes from a stranger would bring its key along.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from srcnn.system.leftovers import WRITING, remove_leftovers

__all__ = ["keep_to_yourself", "key_file", "seal", "sealed", "strangers"]

_log = logging.getLogger(__name__)
_LENGTH = 32  # bytes of the key
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def key_file() -> Path:
    """Return the path of the key ``seal.key``: in ``$SRCNN_STATE``, else in ``srcnn`` in ``$XDG_STATE_HOME``, else in
    ``~/.local/state/srcnn``.

    Raises:
        OSError: this user has no home folder.
    """
    given = os.environ.get("SRCNN_STATE")
    try:
        if given:
            return Path(given).expanduser() / "seal.key"
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "srcnn" / "seal.key"
    except RuntimeError:
        raise OSError(errno.ENOENT, "no home folder is known; set SRCNN_STATE to a folder of your own") from None


def seal(content: bytes) -> str:
    """Return the seal of some content, 64 hexadecimal digits. The key is made when there is none.

    Empty if there can be no key: the folder is not writable, or the file belongs to somebody else. That is logged as a warning.
    """
    try:
        key = _key(make=True)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        _log.warning(
            f"the state cannot be sealed, so --trust-saved-state is needed to resume ({where}{error.strerror})"
        )
        return ""
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def sealed(content: bytes, given: str) -> str:
    """Return why a seal is not one of this user for some content; empty: it is.

    Args:
        content: what was sealed.
        given: the seal, as it was kept.
    """
    if not given:
        return "has no seal"
    try:
        key = _key(make=False)
    except FileNotFoundError as error:
        return f"was sealed with a key that is not here ({error.filename or error.strerror})"
    except OSError as error:
        return f"its seal cannot be compared ({error.filename or 'the key'}: {error.strerror})"
    made = hmac.new(key, content, hashlib.sha256).hexdigest()
    return "" if hmac.compare_digest(made.encode(), given.encode()) else "was sealed with another key, or changed since"


def _key(*, make: bool) -> bytes:
    """Return the key.

    Raises:
        OSError: there is none, it cannot be made, or others can read or write it.
    """
    file = key_file()
    if make and not file.exists():
        _make(file)
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(number, "rb") as opened:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise OSError(errno.EPERM, "must be a file of yours that nobody else can read (mode 600)", str(file))
        content = opened.read(_LENGTH + 1)
    if len(content) != _LENGTH:
        raise OSError(errno.EINVAL, f"must have {_LENGTH} bytes", str(file))
    return content


def _make(file: Path) -> None:
    """Write a new key, unless another process is faster. It is on the disk before anything is sealed with it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_leftovers(file.parent)
    temporary = file.with_name(f"{WRITING}{secrets.token_hex(8)}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(number, "wb") as opened:
            opened.write(secrets.token_bytes(_LENGTH))
            opened.flush()
            os.fsync(number)
        with suppress(FileExistsError):
            try:
                os.link(temporary, file)  # unlike a rename, it never replaces a key
            except PermissionError:  # a file system without hard links
                os.rename(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(OSError):
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def strangers(path: Path) -> str:
    """Return who else could have written a file or folder, as the end of a sentence; empty: nobody but its owner, this user.

    Raises:
        OSError: there is no such file.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return f"{path} is neither a file nor a folder"
    if found.st_uid != os.geteuid():
        return f"{path} belongs to user {found.st_uid}, and you are {os.geteuid()}"
    if found.st_mode & _OTHERS:
        return f"others can write to {path} (mode {stat.S_IMODE(found.st_mode):o})"
    return ""


def keep_to_yourself(folder: Path) -> None:
    """Take the right to write to a folder of this user from group and others, as far as the file system knows such rights."""
    with suppress(OSError):
        found = folder.stat()
        if found.st_uid == os.geteuid() and found.st_mode & _OTHERS:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)
