"""Watchdog of a trial: ends the process if no report is sent within a time limit. Ray Tune then restarts the trial.

The clock is `faulthandler`'s, a thread in C: it runs while a call into a driver or a file system never comes back and holds the
interpreter. What the process was doing is left in a file of the trial's folder, and tells the next attempt that this one hung.
"""

from __future__ import annotations

import faulthandler
from pathlib import Path
from typing import IO

__all__ = ["Watchdog", "stalls"]

_FIRST = 3600.0  # seconds to the first report, where no limit was given: nobody knows yet how long an epoch takes
_LEAST = 600.0  # seconds to any later one
_TIMES = 20.0  # the longest epoch


def stalls(folder: Path) -> list[Path]:
    """Return the stack traces that earlier attempts of a trial wrote when they hung, oldest first."""
    return sorted(file for file in folder.glob("stall-*.txt") if file.stat().st_size > 0)


class Watchdog:
    """Time limit for the reports of one attempt of a trial.

    Args:
        folder: folder of the trial.
        limit: seconds without a report; None: an hour for the first, then twenty times the longest epoch, at least ten minutes.
    """

    def __init__(self, folder: Path, limit: float | None) -> None:
        self._limit, self._longest = limit, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / f"stall-{len(stalls(folder)) + 1}.txt").open("w", encoding="utf-8")

    def wait(self, epoch_seconds: float | None = None) -> None:
        """Start the timer for the next report. ``epoch_seconds``: duration of the last epoch."""
        self._longest = max(self._longest, epoch_seconds or 0.0)
        later = max(_LEAST, _TIMES * self._longest) if self._longest else _FIRST
        faulthandler.dump_traceback_later(self._limit or later, exit=True, file=self._file)

    def pause(self) -> None:
        """Pause the timer while the driver decides."""
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Stop the timer and remove the file if no trace was written. Called at the end of the attempt."""
        self.pause()
        path = Path(self._file.name)
        self._file.close()
        if path.exists() and not path.stat().st_size:
            path.unlink()
