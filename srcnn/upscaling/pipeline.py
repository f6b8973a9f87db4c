"""Many photos one after the other: the next one is decoded and the last one is encoded while one is enlarged.

Three threads: one reads, one writes, and the caller's enlarges. Pixels that wait are bounded, so that large photos do
not fill memory.
"""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import DataError, SRCNNError
from srcnn.system.printable import printable
from srcnn.upscaling.photo_reading import MAX_PIXELS, Photo, read_photo
from srcnn.upscaling.photo_writing import Encoding, write_photo

__all__ = ["Enlarge", "Event", "Job", "run_jobs"]

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_T = TypeVar("_T")

#: Pixels of results that may be in memory at once; a larger one is handled alone.
_IN_FLIGHT = 48_000_000


@dataclass(frozen=True)
class Job:
    """One photo to enlarge.

    Attributes:
        source: the photo.
        output: the file of the result.
        format: of the result, a name of `srcnn.upscaling.photo_writing.FORMATS`.
        pixels: of the result, as far as the header tells.
        compare: the file of a picture that shows it beside bicubic, or None.
    """

    source: Path
    output: Path
    format: str
    pixels: int
    compare: Path | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        kind: started; progress; done; failed.
        job: its job.
        fraction: of the enlarging, 0 to 1.
        message: of a failure, one line.
        notes: of a finished one, what the user should know.
        seconds: of a finished one, for enlarging it.
        size: of a finished one, (width, height) of the result.
    """

    kind: Literal["started", "progress", "done", "failed"]
    job: Job
    fraction: float = 0.0
    message: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)


#: ``enlarge(photo, progress)`` returns the pixels of the result and calls ``progress(done, total)`` meanwhile.
Enlarge = Callable[[Photo, Callable[[int, int], None]], Pixels]


class _Budget:
    """Pixels that may be in memory. One job always may."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()

    def take(self, pixels: int, stop: threading.Event) -> bool:
        """Wait until the pixels fit; return False if everything stops instead."""
        with self._changed:
            while self._used and self._used + pixels > self._limit:
                if stop.is_set():
                    return False
                self._changed.wait(0.1)
            self._used += pixels
        return not stop.is_set()

    def give(self, pixels: int) -> None:
        """Say that they are in memory no more."""
        with self._changed:
            self._used -= pixels
            self._changed.notify_all()


@dataclass(frozen=True)
class _Result:
    job: Job
    photo: Photo
    pixels: Pixels
    seconds: float


def _put(line: queue.Queue[_T], item: _T, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            line.put(item, timeout=0.1)
            return
        except queue.Full:
            continue


class _Run:
    """State of one call of `run_jobs`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        encoding: Encoding,
        report: Callable[[Event], None],
        finished: Callable[[Job], None] | None,
        complete: Callable[[Job, Path], None] | None,
        compare: Callable[[Job, Photo, Pixels], None] | None,
        first_page: bool,
        max_pixels: int,
    ) -> None:
        self.jobs, self.encoding, self.finished, self.compare = jobs, encoding, finished, compare
        self.complete = complete
        self.first_page, self.max_pixels = first_page, max_pixels
        self._report, self._lock = report, threading.Lock()
        self.stop = threading.Event()
        self.fault: BaseException | None = None  # of a thread: a bug, or a full disk
        self.budget = _Budget(_IN_FLIGHT)
        self.read: queue.Queue[tuple[Job, Photo | SRCNNError] | None] = queue.Queue(2)
        self.written: queue.Queue[_Result | None] = queue.Queue(2)

    def say(self, event: Event) -> None:
        """Report an event; one at a time."""
        with self._lock:
            self._report(event)

    def fail(self, job: Job, error: SRCNNError) -> None:
        """Report a failed photo."""
        self.budget.give(job.pixels)
        self.say(Event("failed", job, message=str(error)))

    def reader(self) -> None:
        """Decode the photos in turn."""
        try:
            for job in self.jobs:
                if not self.budget.take(job.pixels, self.stop):
                    return
                try:
                    photo: Photo | SRCNNError = read_photo(
                        job.source, first_page=self.first_page, max_pixels=self.max_pixels
                    )
                except SRCNNError as error:
                    photo = error
                _put(self.read, (job, photo), self.stop)
        except BaseException as error:
            self.fault = error
            self.stop.set()
        finally:
            _put(self.read, None, self.stop)

    def writer(self) -> None:
        """Encode the results in turn; what was enlarged before an interruption is still written."""
        try:
            while (result := self.written.get()) is not None:
                self._write(result)
                del result  # its pixels are no longer needed while this waits for the next
        except BaseException as error:
            self.fault = error
            self.stop.set()
            while self.written.get() is not None:  # the enlarging thread may wait for room
                pass

    def _write(self, result: _Result) -> None:
        job, photo = result.job, result.photo
        name = printable(job.source)
        try:
            tell = None if self.complete is None else partial(self.complete, job)
            notes = write_photo(
                job.output, result.pixels, photo.metadata, job.format, self.encoding, name=name, complete=tell
            )
            if job.compare is not None and self.compare is not None:
                self.compare(job, photo, result.pixels)
            if self.finished is not None:
                self.finished(job)
        except SRCNNError as error:
            self.fail(job, error)
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise  # the next one would end the same way
            return
        self.budget.give(job.pixels)
        height, width = result.pixels.shape[:2]
        told = (*photo.notes, *notes)
        self.say(Event("done", job, 1.0, notes=told, seconds=result.seconds, size=(width, height)))

    def enlarge_all(self, enlarge: Enlarge) -> None:
        """Enlarge what was read and hand it to the writer."""
        while True:
            try:
                item = self.read.get(timeout=0.1)
            except queue.Empty:
                if self.stop.is_set():
                    return
                continue
            if item is None:
                return
            job, photo = item
            if isinstance(photo, SRCNNError):
                self.fail(job, photo)
                continue
            self.say(Event("started", job))
            begun = time.perf_counter()

            def progress(done: int, total: int, job: Job = job) -> None:
                self.say(Event("progress", job, done / max(1, total)))

            try:
                pixels = enlarge(photo, progress)
            except MemoryError:
                self.fail(job, DataError(f"{printable(job.source)}: does not fit in memory"))
                continue
            except SRCNNError as error:
                self.fail(job, DataError(f"{printable(job.source)}: {error}"))
                continue
            self.written.put(_Result(job, photo, pixels, time.perf_counter() - begun))


def run_jobs(
    jobs: Sequence[Job],
    enlarge: Enlarge,
    encoding: Encoding,
    report: Callable[[Event], None],
    *,
    finished: Callable[[Job], None] | None = None,
    complete: Callable[[Job, Path], None] | None = None,
    compare: Callable[[Job, Photo, Pixels], None] | None = None,
    first_page: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Enlarge photos. A photo that fails is reported and does not stop the others.

    Args:
        jobs: in this order.
        enlarge: ``enlarge(photo, progress)``, called in this thread.
        encoding: how results are written.
        report: called with each event, from several threads, one call at a time.
        finished: called when a result is in place, before its event, in the writing thread.
        complete: called with the complete file of a result before it is renamed to its place, in the writing thread.
        compare: writes the picture of a job that asks for one, in the writing thread.
        first_page, max_pixels: as for `srcnn.upscaling.photo_reading.read_photo`.

    Raises:
        KeyboardInterrupt: as it came; what was enlarged by then is written first.
        DataError: the disk is full.
    """
    run = _Run(jobs, encoding, report, finished, complete, compare, first_page, max_pixels)
    threads = [threading.Thread(target=run.reader, name="reader"), threading.Thread(target=run.writer, name="writer")]
    for thread in threads:
        thread.start()
    try:
        run.enlarge_all(enlarge)
    finally:
        run.stop.set()  # after the last photo the reader has ended already
        run.written.put(None)
        for thread in threads:
            thread.join()
    if run.fault is not None:
        raise run.fault
