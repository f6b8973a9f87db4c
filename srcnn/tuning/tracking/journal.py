"""The write-ahead log before MLflow: an append-only file of operations, one JSON object a line.

Three positions matter, in bytes: the end of the file, the end of what is committed (`Journal.committed`: the snapshot that Tune
would resume from includes it), and the end of what was sent (`Journal.sent`). Uncommitted entries are truncated at the next
start, since the resumed search repeats what they describe; committed entries that were not sent are sent then. Delivery is at
least once, and every operation is an idempotent write (`srcnn.tuning.tracking.operations`), so neither a kill nor a full disk nor
an unreachable store loses or duplicates anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.tracking.operations import Operation, from_json

__all__ = ["JOURNAL_FILE", "Journal", "unsent"]

JOURNAL_FILE = "tracking.jsonl"
_MARK = "tracking.mark"


class Journal:
    """The write-ahead log of one search.

    Args:
        folder: where the file and its mark lie; made if it is missing.
        counts: bytes of an existing file that are committed; None: as the mark says.

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
        self.truncate_uncommitted()

    def append(self, operation: Operation) -> None:
        """Append an operation, uncommitted.

        Raises:
            OSError: it cannot be written; the file then ends where it ended before.
        """
        line = (json.dumps(operation.to_json()) + "\n").encode()
        try:
            written = os.write(self._handle, line)
            if written < len(line):
                raise OSError(28, "No space left on device")
        except OSError:
            os.ftruncate(self._handle, self.length)
            raise
        self.length += len(line)

    def commit(self, length: int | None = None) -> None:
        """Commit all entries up to a length in bytes (None: all)."""
        self.committed = max(self.committed, self.length if length is None else length)

    def truncate_uncommitted(self) -> None:
        """Truncate uncommitted entries."""
        os.ftruncate(self._handle, self.committed)
        self.length = self.committed

    def read(self) -> Iterator[tuple[int, Operation]]:
        """Yield the operations that are committed and not sent, each with the position of its end in bytes."""
        return _read(self.file, self.sent, self.committed)

    @property
    def waiting(self) -> int:
        """Number of operations that are committed and not sent."""
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


def _read(file: Path, start: int, end: int) -> Iterator[tuple[int, Operation]]:
    with file.open("rb") as lines:
        lines.seek(start)
        while lines.tell() < end:
            line = lines.readline()
            yield lines.tell(), from_json(json.loads(line))


def unsent(folder: Path, counts: int) -> int:
    """Return the number of operations that are committed and not sent, of a search that does not run.

    Args:
        folder: where the file lies.
        counts: bytes that Tune's last snapshot includes.
    """
    file = folder / JOURNAL_FILE
    if not file.exists():
        return 0
    marked, sent = _read_mark(folder / _MARK)
    return sum(1 for _ in _read(file, sent, min(max(marked, counts), file.stat().st_size)))
