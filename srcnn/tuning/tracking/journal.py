"""What is to be written to MLflow, kept on disk first: an append-only file of operations.

Three positions matter, in bytes: how far the file reaches, up to where it counts (`Journal.committed`: the state that Tune
would go on from knows of it), and up to where the store has it (`Journal.sent`). Operations that no state counts are dropped
at the next start, since their future never happened; those that count and were not sent are sent then. So a kill, a full disk
or a store that is away loses nothing and doubles nothing, as long as sending twice is the same as sending once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srcnn.system.atomic_file import atomic_write

__all__ = ["JOURNAL_FILE", "Journal", "unsent"]

JOURNAL_FILE = "tracking.jsonl"
_MARK = "tracking.mark"


class Journal:
    """The operations of one search.

    Args:
        folder: where the file and its mark lie; made if it is missing.
        counts: bytes that count of a file which is there already; None: those that `commit` has marked.

    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, counts: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / JOURNAL_FILE
        self._mark = folder / _MARK
        self._handle = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        marked, self.sent = _read_mark(self._mark)
        self.committed = min(max(marked, counts or 0), os.fstat(self._handle).st_size)
        self.drop()

    def append(self, operation: dict[str, Any]) -> None:
        """Keep an operation; it counts once `commit` says so.

        Raises:
            OSError: it cannot be written; the file then ends where it ended before.
        """
        line = (json.dumps(operation) + "\n").encode()
        try:
            written = os.write(self._handle, line)
            if written < len(line):
                raise OSError(28, "No space left on device")
        except OSError:
            os.ftruncate(self._handle, self.length)
            raise
        self.length += len(line)

    def commit(self, length: int | None = None) -> None:
        """Everything up to a length (None: all there is) counts."""
        self.committed = max(self.committed, self.length if length is None else length)

    def drop(self) -> None:
        """Forget what does not count."""
        os.ftruncate(self._handle, self.committed)
        self.length = self.committed

    def read(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The operations that count and were not sent, each with the position behind it."""
        return _read(self.file, self.sent, self.committed)

    @property
    def waiting(self) -> int:
        """How many operations count and were not sent."""
        return sum(1 for _ in self.read())

    def mark(self) -> None:
        """Put both positions on the disk.

        Raises:
            OSError: they cannot be written; the old ones stay.
        """
        with atomic_write(self._mark) as file:
            file.write_text(json.dumps({"committed": self.committed, "sent": self.sent}), encoding="utf-8")

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)


def _read_mark(file: Path) -> tuple[int, int]:
    """Up to where operations count, and up to where they were sent."""
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
        return int(mark["committed"]), int(mark["sent"])
    except (OSError, ValueError, KeyError):
        return 0, 0  # sent again from the start, which changes nothing


def _read(file: Path, start: int, end: int) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open("rb") as lines:
        lines.seek(start)
        while lines.tell() < end:
            line = lines.readline()
            yield lines.tell(), json.loads(line)


def unsent(folder: Path, counts: int) -> int:
    """How many operations of a search that does not run count and were not sent.

    Args:
        folder: of the journal.
        counts: bytes that Tune's kept state knows of.
    """
    file = folder / JOURNAL_FILE
    if not file.exists():
        return 0
    marked, sent = _read_mark(folder / _MARK)
    return sum(1 for _ in _read(file, sent, min(max(marked, counts), file.stat().st_size)))
