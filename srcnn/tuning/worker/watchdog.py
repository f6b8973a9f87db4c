"""Watchdog that ends the process of a trial if it sends no report within a time limit, so that Tune restarts the trial.

The timer is that of `faulthandler`, a thread in C, which also runs while a blocking call into a driver or a file system holds the
interpreter lock. It writes a traceback to a file in the trial's folder, by which the next attempt knows that this one hung.
"""

from __future__ import annotations

import faulthandler
from pathlib import Path
from typing import IO

__all__ = ["Watchdog", "stalls"]

_FIRST = 3600.0  # default limit until the first report, in seconds: the duration of an epoch is not known yet
_LEAST = 600.0  # minimum default limit until later reports, in seconds
_TIMES = 20.0  # default limit until later reports, as a multiple of the longest epoch


def stalls(folder: Path) -> list[Path]:
    """Return the traceback files of earlier attempts that hung, oldest first."""
    return sorted(file for file in folder.glob("stall-*.txt") if file.stat().st_size > 0)


class Watchdog:
    """Watchdog for one attempt of a trial.

    Args:
        folder: folder of the trial.
        limit: time limit until the next report, in seconds; None: one hour for the first report, then twenty times the longest
            epoch, at least ten minutes.
    """

    def __init__(self, folder: Path, limit: float | None) -> None:
        self._limit, self._longest = limit, 0.0
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / f"stall-{len(stalls(folder)) + 1}.txt").open("w", encoding="utf-8")

    def wait(self, epoch_seconds: float | None = None) -> None:
        """Start the timer for the next report; ``epoch_seconds`` is the duration of the last epoch."""
        self._longest = max(self._longest, epoch_seconds or 0.0)
        later = max(_LEAST, _TIMES * self._longest) if self._longest else _FIRST
        faulthandler.dump_traceback_later(self._limit or later, exit=True, file=self._file)

    def pause(self) -> None:
        """Pause the timer while the driver decides."""
        faulthandler.cancel_dump_traceback_later()

    def close(self) -> None:
        """Stop the timer at the end of the attempt, and remove its file if it is empty."""
        self.pause()
        path = Path(self._file.name)
        self._file.close()
        if path.exists() and not path.stat().st_size:
            path.unlink()
