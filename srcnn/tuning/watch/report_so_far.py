"""The report of a search for its watch page: the finished one if there is one, else one that is made now and then meanwhile.

A report takes seconds, so that one is written by a process of its own with low priority, into a folder that is removed later.
As a program, this module writes one report::

    python -m srcnn.tuning.watch.report_so_far TRACKING_URI NAME FOLDER
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from srcnn.errors import SRCNNError
from srcnn.tuning.driver.live_state import FILE
from srcnn.tuning.watch.state import WatchedSearch

__all__ = ["REPORTS", "ReportSoFar", "main"]

REPORTS = Path("mlruns/reports")  #: folder with a folder for each finished report

PAGE = "report.html"  #: first file of a report

_PROGRAM = "srcnn.tuning.watch.report_so_far"  # this module
_EVERY = 30.0  # minimum time between the end of a process and the start of the next one, in seconds
_LONGEST = 600.0  # a process that takes longer is ended, in seconds
_NICE = 5  # added to the priority number: the search comes first, and the report still takes less than a minute


class ReportSoFar:
    """The folder with the newest report of a search, and what is done to have a newer one.

    Args:
        folder: folder of the search.
        reports: folder with a folder for each finished report.
        every: minimum time between two reports, in seconds.
    """

    def __init__(self, folder: Path, reports: Path = REPORTS, *, every: float = _EVERY) -> None:
        self._folder, self._reports, self._every = folder, reports, every
        self._lock = threading.Lock()
        self._made: Path | None = None  # parent of the folders that are made here
        self._newest: Path | None = None
        self._ended, self._of = -float("inf"), ""
        self._working = False
        self._trouble = ""

    def newest(self, found: WatchedSearch) -> Path | None:
        """Return the folder of the newest report, None if there is none yet; begin a newer one if it is time for it."""
        finished = self._finished(found)
        if finished is not None:
            return finished
        with self._lock:
            due = time.monotonic() - self._ended >= self._every and self._of != found.stamp
            if found.live is not None and due and not self._working:
                self._working, self._of = True, found.stamp
                uri = str(found.live.about.get("tracking_uri", ""))
                threading.Thread(target=self._make, args=(uri, found.name), daemon=True, name="report so far").start()
            return self._newest

    @property
    def words(self) -> str:
        """What there is instead of a report, for a person."""
        with self._lock:
            if self._working:
                return "The report is being written; this page shows it in some seconds."
            return self._trouble or "There is no report yet."

    @property
    def coming(self) -> bool:
        """Whether a report is being written."""
        with self._lock:
            return self._working

    def _finished(self, found: WatchedSearch) -> Path | None:
        """Return the folder of the report that was written after the end; None: the search goes on, or there is none."""
        if found.live is None or found.live.state == "running":
            return None
        page = self._reports / found.name / PAGE
        try:
            return page.parent if page.stat().st_mtime >= (self._folder / FILE).stat().st_mtime else None
        except OSError:
            return None

    def _make(self, uri: str, name: str) -> None:
        if self._made is None:
            self._made = Path(tempfile.mkdtemp(prefix="srcnn-report-"))
            atexit.register(shutil.rmtree, self._made, ignore_errors=True)
        target, trouble = self._made / f"{time.monotonic_ns()}", ""
        command = [sys.executable, "-m", _PROGRAM, uri, name, str(target)]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=_LONGEST, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            if ended.returncode:
                trouble = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        except (OSError, subprocess.TimeoutExpired) as error:
            trouble = str(error)
        with self._lock:
            self._working, self._ended = False, time.monotonic()
            if trouble:
                self._trouble = f"The report could not be written: {trouble}"
                shutil.rmtree(target, ignore_errors=True)
                return
            old, self._newest, self._trouble = self._newest, target, ""
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def main(argv: list[str]) -> int:
    """Write the report of a search: the address of the tracking store, its name, the folder for the files."""
    uri, name, folder = argv
    from srcnn.tuning.adapters.environment import configure
    from srcnn.tuning.report.build import build
    from srcnn.tuning.report.data.search_data import UI, find_parent
    from srcnn.tuning.report.document.write import write

    configure()
    try:
        write(build(uri, find_parent(uri, name), UI), Path(folder))
    except SRCNNError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    os.nice(_NICE)
    sys.exit(main(sys.argv[1:]))
