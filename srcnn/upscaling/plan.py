"""What is to be done for a number of photos, decided from their headers before anything is decoded or written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from srcnn.errors import ConfigError, DataError
from srcnn.system.printable import printable
from srcnn.upscaling.enlarge import result_size
from srcnn.upscaling.folders import Found, Source, check_outputs, is_finished, read_record
from srcnn.upscaling.photo_reading import MAX_PIXELS, Header, inspect
from srcnn.upscaling.photo_writing import FORMATS, Encoding, check_side, output_format
from srcnn.upscaling.pipeline import Job

__all__ = ["Plan", "Target", "Wishes", "make_plan", "parse_scale", "parse_size"]


_ANY = 1 << 62  # pixels: the limit is checked with the file's name


def parse_scale(text: str) -> float:
    """Return a factor from text such as ``3``, ``x3`` or ``2.5``.

    Raises:
        ConfigError: it is no number between 0.01 and 100.
    """
    try:
        scale = float(text.lower().removeprefix("x").removesuffix("x")) if text.isascii() else math.nan
    except ValueError:
        scale = math.nan
    if not 0.01 <= scale <= 100:
        raise ConfigError(f"--scale: must be a number from 0.01 to 100, such as 3 or 2.5, but got {text!r}")
    return scale


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height from text such as ``4000x3000``.

    Raises:
        ConfigError: it is not of this form, or a side is 0.
    """
    match = re.fullmatch(r"(\d{1,7})[xX×](\d{1,7})", text.strip(), re.ASCII)
    if match is None or not int(match[1]) or not int(match[2]):
        raise ConfigError(f"--size: must be WIDTHxHEIGHT in pixels, such as 4000x3000, but got {text!r}")
    return int(match[1]), int(match[2])


@dataclass(frozen=True)
class Target:
    """How large results become: a factor, or the largest size that fits in a box; the shape of the photo stays.

    Attributes:
        scale: the factor, if there is no box.
        box: (width, height) or None.
    """

    scale: float = 3
    box: tuple[int, int] | None = None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) of the result for a photo, at least one pixel each."""
        if self.box is None:
            return result_size(width, height, scale=self.scale, max_pixels=_ANY)
        ratio = min(Fraction(self.box[0], width), Fraction(self.box[1], height))
        return max(1, round(width * ratio)), max(1, round(height * ratio))

    def __str__(self) -> str:
        return f"x{self.scale:g}" if self.box is None else f"{self.box[0]}x{self.box[1]}"


@dataclass(frozen=True)
class Wishes:
    """What the user asks for.

    Attributes:
        target: how large results become.
        encoding: their format.
        out: their folder; None for beside each photo, with the target in their names.
        settings: everything that a result depends on besides the photo, as text for the record.
        force: write over existing files.
        first_page: take the first picture of animated and multi-page files.
        max_pixels: the most pixels of a photo and of a result.
        compare: also make a picture that compares with bicubic.
    """

    target: Target
    encoding: Encoding = field(default_factory=Encoding)
    out: Path | None = None
    settings: str = ""
    force: bool = False
    first_page: bool = False
    max_pixels: int = MAX_PIXELS
    compare: bool = False


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        jobs: photos to enlarge.
        finished: number of photos whose results the record knows.
        failures: (file, message) of what cannot be done.
        skipped: reason -> number of files.
    """

    jobs: list[Job] = field(default_factory=list)
    finished: int = 0
    failures: list[tuple[Path, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def _check_result(source: Source, header: Header, form: str, wishes: Wishes) -> int:
    """Return the pixels of the result; refuse what is too large."""
    width, height = wishes.target.size(header.width, header.height)
    name = printable(source.path)
    check_side(name, form, width, height)
    if width * height > wishes.max_pixels:
        raise DataError(
            f"{name}: the result of {width}x{height} = {width * height:,} pixels is more than --max-pixels {wishes.max_pixels:,}"
        )
    return width * height


def _paths(source: Source, form: str, wishes: Wishes) -> tuple[Path, Path | None]:
    """Return the file of the result and of the comparison."""
    if wishes.out is None:
        output = source.path.with_name(f"{source.path.stem}_{wishes.target}{FORMATS[form]}")
    else:
        output = wishes.out / source.place.with_name(source.place.stem + FORMATS[form])
    return output, output.with_name(f"{output.stem}_compare.png") if wishes.compare else None


def _plan_one(source: Source, wishes: Wishes) -> Job:
    """Return the job of a photo."""
    header = inspect(source.path, first_page=wishes.first_page, max_pixels=wishes.max_pixels)
    form = output_format(wishes.encoding, header.format)
    pixels = _check_result(source, header, form, wishes)
    output, compare = _paths(source, form, wishes)
    return Job(source.path, output, form, pixels, compare)


def _is_there(path: Path | None) -> bool:
    return path is not None and (path.exists() or path.is_symlink())


def make_plan(found: Found, wishes: Wishes) -> Plan:
    """Look at every file and decide what becomes of it.

    A mistake with a file that was named ends this; one with a file of a folder becomes a failure of the plan.

    Raises:
        DataError: a named file is no photo, or too large.
        ConfigError: a named file's result exists; two photos have one result; a result is a photo.
    """
    plan = Plan(failures=list(found.failures), skipped=Counter(found.skipped))
    record = read_record(wishes.out) if wishes.out is not None else {}
    looked_at: list[tuple[Source, Job]] = []
    for source in found.sources:
        try:
            job = _plan_one(source, wishes)
        except DataError as error:
            if source.named:
                raise
            if source.must_be_photo:
                plan.failures.append((source.path, str(error)))
            else:
                plan.skipped["not a photo"] += 1
            continue
        looked_at.append((source, job))
    pairs = [(job.source, job.output) for _, job in looked_at]
    pairs += [(job.source, job.compare) for _, job in looked_at if job.compare is not None]
    check_outputs(pairs)
    for source, job in looked_at:
        finished = wishes.out is not None and is_finished(job.source, job.output, wishes.out, wishes.settings, record)
        if finished and not wishes.force and (job.compare is None or _is_there(job.compare)):
            plan.finished += 1
            continue
        in_the_way = None if wishes.force or finished else _in_the_way(job, wishes, record)
        if in_the_way is None:
            plan.jobs.append(job)
            continue
        message = f"{printable(in_the_way)}: exists; --force writes over it"
        if source.named:
            raise ConfigError(message)
        plan.failures.append((source.path, message))
    return plan


def _in_the_way(job: Job, wishes: Wishes, record: Mapping[str, object]) -> Path | None:
    """Return an existing file that the job would write over; a comparison of a result in the record does not count."""
    if _is_there(job.output):
        return job.output
    recorded = wishes.out is not None and job.output.relative_to(wishes.out).as_posix() in record
    return job.compare if _is_there(job.compare) and not recorded else None
