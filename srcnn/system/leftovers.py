"""Files and folders that a process which was killed while it wrote has left: removed at a later write in the same folder.

What is being written has a name of its own until it is complete, and a process that is killed leaves it there. Whether its
writer still lives cannot be asked reliably: it may be on another machine, or in a container that numbers its processes anew. So
the rule is age alone: no write takes a day, and every byte that is written renews the time.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["FETCHING", "WRITING", "remove_leftovers"]

#: How the names of files and folders begin that are being written.
WRITING = ".writing-"
#: How the names of folders begin into which an archive of images is being unpacked.
FETCHING = ".fetching-"
_NAMES = re.compile(
    rf"{re.escape(WRITING)}(?:[0-9a-f]{{8}}|[0-9a-f]{{16}})(?:\.[^/]*)?|{re.escape(FETCHING)}[0-9a-z_]{{8}}"
)
_AGE = 24 * 3600.0  # seconds without a change after which the writer counts as dead
_MANY = 10_000  # folders that are remembered

_seen: set[str] = set()


def remove_leftovers(folder: Path) -> None:
    """Remove what was left in a folder more than a day ago. A process looks into each folder once; what fails is left alone.

    Args:
        folder: the folder; what lies in folders inside it is not looked at.
    """
    name = os.path.abspath(folder)
    if name in _seen:
        return
    if len(_seen) >= _MANY:
        _seen.clear()
    _seen.add(name)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAMES.fullmatch(entry.name):
                with suppress(OSError):
                    _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    status = entry.stat(follow_symlinks=False)
    # The change time too: a writer may set the other one, to that of a photo for example.
    if time.time() - max(status.st_mtime, status.st_ctime) < _AGE:
        return
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        os.unlink(entry.path)
