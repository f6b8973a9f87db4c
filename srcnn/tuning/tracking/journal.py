"""Write-ahead log for MLflow: an append-only file of operations, one JSON object per line.

The log has three positions, in bytes: the end of the file (`Journal.length`), the end of the committed entries
(`Journal.committed`), and the end of the sent entries (`Journal.sent`). An entry is committed when Tune's newest snapshot
includes it. At the next start, uncommitted entries are truncated, because the resumed search repeats the operations, and
committed entries that were not sent are sent. Delivery is at least once and every operation is an idempotent write
(`srcnn.tuning.tracking.operations`), so a kill, a full disk or an unavailable store neither loses nor duplicates data.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from srcnn.errors import SearchError
from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.tracking.operations import Operation, from_json

__all__ = ["JOURNAL_FILE", "Journal", "unsent"]

JOURNAL_FILE = "tracking.jsonl"
_MARK = "tracking.mark"


class Journal:
    """The write-ahead log of one search.

    Args:
        folder: folder of the log and of the file with its positions; created if it does not exist.
        counts: length of the committed part of an existing log, in bytes; None: as stored in the file with the positions.

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
        """Append an operation as an uncommitted entry.

        Raises:
            OSError: the entry cannot be written; the log is left as it was.
        """
        line = (json.dumps(operation.to_json()) + "\n").encode()
        try:
            written = os.write(self._handle, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(OSError):  # an incomplete line is never committed, and truncated at the next start
                os.ftruncate(self._handle, self.length)
            raise OSError(error.errno, error.strerror, str(self.file)) from None
        self.length += len(line)

    def commit(self, length: int | None = None) -> None:
        """Commit all entries up to a length of the log in bytes; None: all entries."""
        self.committed = max(self.committed, self.length if length is None else length)

    def truncate_uncommitted(self) -> None:
        """Truncate uncommitted entries."""
        os.ftruncate(self._handle, self.committed)
        self.length = self.committed

    def read(self) -> Iterator[tuple[int, Operation]]:
        """Yield the committed operations that are not sent yet, each with the position of its end, in bytes.

        Raises:
            SearchError: the file is damaged.
        """
        return _read(self.file, self.sent, self.committed)

    def sent_before(self) -> Iterator[Operation]:
        """Yield the operations that were sent, by this process or an earlier one.

        Raises:
            SearchError: the file is damaged.
        """
        return (operation for _, operation in _read(self.file, 0, min(self.sent, self.committed)))

    @property
    def waiting(self) -> int:
        """Number of committed operations that are not sent yet."""
        return sum(1 for _ in self.read())

    def mark(self) -> None:
        """Store the committed and the sent position on disk.

        Raises:
            OSError: the positions cannot be written; the stored ones remain.
        """
        with atomic_write(self._mark) as file:
            file.write_text(json.dumps({"committed": self.committed, "sent": self.sent}), encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def _read_mark(file: Path) -> tuple[int, int]:
    """Return the committed and the sent position, in bytes; zeros if the file is missing or damaged."""
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
        return int(mark["committed"]), int(mark["sent"])
    except (OSError, ValueError, KeyError):
        return 0, 0  # all entries are sent again, which is harmless: writes are idempotent


def _read(file: Path, start: int, end: int) -> Iterator[tuple[int, Operation]]:
    with file.open("rb") as lines:
        lines.seek(start)
        while lines.tell() < end:
            line = lines.readline()
            try:
                operation = from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise SearchError(
                    f"{file}: must have one operation a line, but the one before byte {lines.tell()} is damaged"
                ) from None
            yield lines.tell(), operation


def unsent(folder: Path, counts: int) -> int:
    """Return the number of committed operations that are not sent yet, for a search that is not running.

    Args:
        folder: folder of the log.
        counts: length of the log that Tune's newest snapshot includes, in bytes.

    Raises:
        SearchError: the file is damaged.
    """
    file = folder / JOURNAL_FILE
    if not file.exists():
        return 0
    marked, sent = _read_mark(folder / _MARK)
    return sum(1 for _ in _read(file, sent, min(max(marked, counts), file.stat().st_size)))
