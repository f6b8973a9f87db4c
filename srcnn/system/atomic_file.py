"""Atomic writing: a file is complete or does not appear."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["WRITING", "atomic_write"]

#: How the names of files that are being written begin. One of a process that was killed stays.
WRITING = ".writing-"


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename the file to ``path`` when the block succeeds.

    The parent folder is created. The temporary file has the suffix of ``path``, because encoders choose their format by it, and
    the permissions of a normal new file. If the block raises an exception, the temporary file is removed and ``path`` does not
    change.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile.mkstemp: only the owner may read its files, and os.replace keeps these permissions.
    temporary = path.with_name(f"{WRITING}{secrets.token_hex(8)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:  # the data must be on disk before the rename
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
