"""Reading and writing beside computing: order, failures, interruption, memory."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import srcnn.upscaling.pipeline as pipeline
from srcnn.errors import ConfigError, DataError
from srcnn.imaging.image_files import read_image, write_image
from srcnn.upscaling.photo_reading import Photo, read_photo
from srcnn.upscaling.photo_writing import Encoding
from srcnn.upscaling.pipeline import Event, Job, run_jobs

from pictures import photo


def twice(photo: Photo, progress: Callable[[int, int], None]) -> Any:
    progress(1, 2)
    progress(2, 2)
    return np.repeat(np.repeat(photo.pixels, 2, axis=0), 2, axis=1)


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    for i in range(5):
        write_image(tmp_path / f"{i}.png", photo() + np.uint8(i))
    return [Job(tmp_path / f"{i}.png", tmp_path / "out" / f"{i}.png", "png", 4 * 31 * 26) for i in range(5)]


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events if event.kind != "progress"]


def test_every_photo_comes_out_in_order(jobs: list[Job]) -> None:
    events: list[Event] = []
    finished: list[Job] = []
    run_jobs(jobs, twice, Encoding(), events.append, finished=finished.append)
    assert finished == jobs
    assert [event.job for event in events if event.kind == "done"] == jobs
    assert sorted(kinds(events)) == ["done"] * 5 + ["started"] * 5
    assert [event.fraction for event in events if event.kind == "progress" and event.job is jobs[2]] == [0.5, 1.0]
    assert {event.size for event in events if event.kind == "done"} == {(52, 62)}
    for i, job in enumerate(jobs):
        assert np.array_equal(read_image(job.output)[::2, ::2], photo() + np.uint8(i))


def test_a_bad_photo_does_not_stop_the_others(jobs: list[Job]) -> None:
    jobs[1].source.write_bytes(jobs[1].source.read_bytes()[:200])
    broken: list[str] = []

    def enlarge(photo: Photo, progress: Callable[[int, int], None]) -> Any:
        if not broken:
            broken.append("first")
            raise ConfigError("size: must be otherwise")
        return twice(photo, progress)

    events: list[Event] = []
    run_jobs(jobs, enlarge, Encoding(), events.append)
    failures = [event.message for event in events if event.kind == "failed"]
    assert len(failures) == 2
    assert any("1.png: cannot be decoded" in message for message in failures)
    assert any("0.png: size: must be otherwise" in message for message in failures)
    assert [job.output.exists() for job in jobs] == [False, False, True, True, True]


def test_what_was_enlarged_before_an_interruption_is_written(jobs: list[Job]) -> None:
    calls: list[int] = []

    def enlarge(photo: Photo, progress: Callable[[int, int], None]) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return twice(photo, progress)

    events: list[Event] = []
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, enlarge, Encoding(), events.append)
    assert threading.active_count() == before
    assert [job.output.exists() for job in jobs] == [True, True, False, False, False]
    assert kinds(events).count("done") == 2
    assert sorted(path.name for path in jobs[0].output.parent.iterdir()) == ["0.png", "1.png"]


def test_a_full_disk_stops_everything(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise DataError("0.png: cannot be written") from OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pipeline, "write_photo", full)
    events: list[Event] = []
    with pytest.raises(DataError, match=r"0\.png: cannot be written"):
        run_jobs(jobs * 3, twice, Encoding(), events.append)
    assert kinds(events).count("failed") == 1


def test_a_bug_in_a_thread_is_raised_here(jobs: list[Job]) -> None:
    def bug(job: Job) -> None:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        run_jobs(jobs, twice, Encoding(), lambda event: None, finished=bug)


def test_large_photos_are_handled_alone(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one result only, the next photo is not read before this one is written."""
    monkeypatch.setattr(pipeline, "_IN_FLIGHT", 4 * 31 * 26)
    log: list[tuple[str, Path]] = []

    def read(path: Path, **options: Any) -> Photo:
        log.append(("read", path))
        return read_photo(path, **options)

    monkeypatch.setattr(pipeline, "read_photo", read)
    run_jobs(jobs, twice, Encoding(), lambda event: None, finished=lambda job: log.append(("written", job.source)))
    assert log == [(what, job.source) for job in jobs for what in ("read", "written")]


def test_comparisons_are_written_for_jobs_that_ask(jobs: list[Job], tmp_path: Path) -> None:
    asked = Job(jobs[0].source, jobs[0].output, "png", 4, tmp_path / "c.png")
    seen: list[tuple[Job, int, int]] = []
    run_jobs(
        [asked, jobs[1]],
        twice,
        Encoding(),
        lambda event: None,
        compare=lambda job, photo, pixels: seen.append((job, len(photo.pixels), len(pixels))),
    )
    assert seen == [(asked, 31, 62)]
