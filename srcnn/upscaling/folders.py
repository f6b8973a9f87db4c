"""Photos in folders: which files are photos, where each result goes, and which results are there already.

The folder of results has a record, `RECORD`: one JSON object a line for each finished photo, appended when its file
is complete, before it gets its name: a process that is killed in between leaves nothing that it would not know again. With the
record the same command, given again, goes on where it was interrupted.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srcnn.errors import ConfigError, DataError
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.printable import printable

__all__ = ["RECORD", "Found", "Source", "check_outputs", "find_photos", "is_finished", "read_record", "remember"]

#: File name of the record in a folder of results.
RECORD = ".srcnn-upscaled.jsonl"
_LARGEST_RECORD = 256 << 20  # maximum size of the record in bytes: that of half a million photos

#: Suffixes of files that are meant as pictures; if one cannot be read, that is a failure. Others are skipped.
_PICTURES = frozenset(
    [
        ".3fr",
        ".apng",
        ".arw",
        ".avif",
        ".bmp",
        ".cr2",
        ".cr3",
        ".dib",
        ".dng",
        ".erf",
        ".gif",
        ".heic",
        ".heif",
        ".j2c",
        ".j2k",
        ".jfif",
        ".jif",
        ".jp2",
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpf",
        ".jpg",
        ".jpx",
        ".mpo",
        ".nef",
        ".nrw",
        ".orf",
        ".pbm",
        ".pef",
        ".pfm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".raf",
        ".rw2",
        ".rwl",
        ".srw",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
_SIDECARS = frozenset([".aae", ".dop", ".json", ".on1", ".pp3", ".thm", ".txt", ".vrd", ".xmp", ".xml"])
_SYSTEM = frozenset(["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "__macosx"])


@dataclass(frozen=True)
class Source:
    """A file that may be a photo.

    Attributes:
        path: the file.
        place: its path below the folder that was named, or its name if the file itself was.
        named: whether the user named the file itself; a mistake with it ends the command before it starts.
    """

    path: Path
    place: Path
    named: bool

    @property
    def must_be_photo(self) -> bool:
        """Whether it is a failure if the file is no photo: it was named, or its suffix says that it is one."""
        return self.named or self.path.suffix.lower() in _PICTURES


@dataclass
class Found:
    """What the arguments lead to.

    Attributes:
        sources: files to look at, in the order of the arguments, and by name within a folder.
        skipped: reason -> number of files and folders that were not looked at.
        failures: (path, message) of folders that could not be read.
    """

    sources: list[Source] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[Path, str]] = field(default_factory=list)


def _why_skipped(entry: os.DirEntry[str]) -> str | None:
    """Return why a directory entry is not looked at, from its name alone; None if it is."""
    name = entry.name.lower()
    if name in _SYSTEM:
        return "system file"
    if name.startswith("."):
        return "hidden"
    return "sidecar file" if Path(name).suffix in _SIDECARS else None


def _walk(folder: Path, top: Path, out: Path | None, seen: set[tuple[int, int]], found: Found) -> None:
    """Add the files below a folder."""
    try:
        status = folder.stat()
        key = (status.st_dev, status.st_ino)
        if key in seen:
            found.skipped["folder met before"] += 1
            return
        seen.add(key)
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        found.failures.append((folder, f"{printable(folder)}: the folder cannot be read ({error.strerror})"))
        return
    folders = []
    for entry in entries:
        reason = _why_skipped(entry)
        path = folder / entry.name
        try:
            if reason is not None:
                found.skipped[reason] += 1
            elif entry.is_dir():
                folders.append(path)
            elif entry.is_file():
                found.sources.append(Source(path, path.relative_to(top), named=False))
            else:  # a pipe, a socket, a link to nothing
                found.skipped["not a regular file"] += 1
        except OSError:
            found.skipped["not a regular file"] += 1
    for path in folders:
        if out is not None and _same(path, out):
            found.skipped["folder of results"] += 1
        else:
            _walk(path, top, out, seen, found)


def _same(a: Path, b: Path) -> bool:
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def find_photos(arguments: Sequence[Path], out: Path | None) -> Found:
    """Return the files that the arguments name, folders with everything below them.

    Links to folders are followed, each folder once. Hidden, system and sidecar files, and the folder of results, are skipped
    and counted.

    Args:
        arguments: files and folders.
        out: the folder of results, or None for beside each photo.

    Raises:
        DataError: an argument is missing.
        ConfigError: a folder is given without a folder for its results, or as that.
    """
    found = Found()
    seen: set[tuple[int, int]] = set()
    for path in arguments:
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            raise DataError(f"{printable(path)}: no such file or folder") from None
        except (OSError, ValueError) as error:
            raise DataError(f"{printable(path)}: cannot be opened ({printable(str(error))})") from None
        if stat.S_ISDIR(mode):
            if out is None:
                raise ConfigError(f"--out: must be given for the results of a folder, but got {printable(path)} alone")
            if _same(path, out):
                raise ConfigError(f"--out: must be another folder than the photos', but got {printable(path)} for both")
            _walk(path, path, out, seen, found)
        elif stat.S_ISREG(mode):
            found.sources.append(Source(path, Path(path.name), named=True))
        else:
            raise DataError(f"{printable(path)}: is neither a file nor a folder")
    return found


def check_outputs(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Check that no two photos have one result, and that no result is a photo that is read.

    Args:
        pairs: (photo, result).

    Raises:
        ConfigError: both are named.
    """
    pairs = list(pairs)
    sources: set[tuple[int, int]] = set()
    for source, _ in pairs:
        status = source.stat()
        sources.add((status.st_dev, status.st_ino))
    first: dict[str, Path] = {}
    for source, output in pairs:
        key = os.path.normcase(os.path.abspath(output))
        if key in first:
            raise ConfigError(
                f"{printable(output)}: would be the result of {printable(first[key])} and of {printable(source)}; "
                "rename one, or give them apart with another --out"
            )
        first[key] = source
        try:
            status = output.stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in sources:
            raise ConfigError(f"{printable(output)}: must not be written over, because it is one of the photos to read")


def read_record(out: Path) -> dict[str, dict[str, Any]]:
    """Return the record of a folder of results: place of the result -> entry. Lines that are not whole are left out."""
    entries: dict[str, dict[str, Any]] = {}
    try:
        text = read_text(out / RECORD, _LARGEST_RECORD)
    except (OSError, UnicodeDecodeError):
        return entries
    for line in text.splitlines():
        try:
            entry = parse_json(line)
        except ValueError:  # the machine stopped while it was written
            continue
        if isinstance(entry, dict) and isinstance(entry.get("result"), str):
            entries[entry["result"]] = entry
    return entries


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _entry(source: Path, output: Path, out: Path, settings: str, file: Path | None = None) -> dict[str, Any]:
    return {
        "result": output.relative_to(out).as_posix(),
        "result_stamp": _stamp(file or output),
        "photo": os.path.abspath(source),
        "photo_stamp": _stamp(source),
        "settings": settings,
    }


def remember(source: Path, output: Path, out: Path, settings: str, file: Path | None = None) -> None:
    """Append a finished photo to the record.

    Args:
        source, output: photo and result.
        out: the folder of results, which ``output`` lies in.
        settings: everything that the result depends on besides the photo.
        file: the complete file that will be renamed to ``output``; None: it has its name already.
    """
    line = json.dumps(_entry(source, output, out, settings, file)) + "\n"
    with (out / RECORD).open("ab+", buffering=0) as record:
        end = record.seek(0, os.SEEK_END)
        if end:
            record.seek(end - 1)
            if record.read(1) != b"\n":  # the line before was cut
                line = "\n" + line
        record.write(line.encode("ascii"))


def is_finished(source: Path, output: Path, out: Path, settings: str, record: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the record says that this result was made from this photo, both unchanged since, with these settings."""
    known = record.get(output.relative_to(out).as_posix())
    try:
        return known is not None and dict(known) == _entry(source, output, out, settings)
    except OSError:
        return False
