"""The wanted members of a zip or tar archive, copied out within limits on their size."""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from srcnn.errors import DataError

__all__ = ["MAX_MEMBER", "MAX_TOTAL", "WrongArchive", "unpack"]

MAX_MEMBER = 32 << 20  #: bytes of one file inside; the largest known has under 1 MB
MAX_TOTAL = 512 << 20  #: bytes of all the files taken out of one archive
_CHUNK = 1 << 16


class WrongArchive(DataError):
    """The downloaded file is not what it should be, so that keeping it would only repeat the failure."""


#: What the standard library raises for an archive that is none, or is damaged, encrypted or compressed in another way.
_UNSOUND = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # NotImplementedError is one
    ValueError,
)


def unpack(archive: Path, folder: Path, rule: Callable[[PurePosixPath], str | None]) -> None:
    total = 0
    try:
        for name, is_file, open_member in _members(archive):
            member = PurePosixPath(name.replace("\\", "/"))
            below = rule(member)
            if below is None or member.name.startswith(".") or "__MACOSX" in member.parts:
                continue
            if not is_file or member.is_absolute() or ".." in member.parts or ":" in name:
                raise WrongArchive(f"{archive.name}: is refused, its member {name!r} is a link or leads out of it")
            destination = folder / below
            destination.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, destination.open("wb") as file:
                total += _copy(source, file, min(MAX_MEMBER, MAX_TOTAL - total), f"{archive.name}: {name}")
    except _UNSOUND as error:
        raise WrongArchive(f"{archive.name}: is not a sound archive ({error})") from error


def _members(archive: Path) -> Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]:
    """Every member that is no folder: its name, whether it is a plain file, and how to open it."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as pack:
            for info in pack.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)  # 0: made on a system without kinds of file
                if not info.is_dir():
                    yield info.filename, kind in (0, stat.S_IFREG), partial(pack.open, info)
        return
    with tarfile.open(archive, "r:*") as tar:
        for entry in tar:
            if not entry.isdir():
                yield entry.name, entry.isreg(), partial(_opened, tar, entry)


def _opened(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(entry)
    assert file is not None, "only plain files are opened"
    return file


def _copy(source: IO[bytes], file: IO[bytes], limit: int, what: str) -> int:
    """Copy at most ``limit`` bytes, whatever the archive says of the length."""
    done = 0
    while chunk := source.read(_CHUNK):
        done += len(chunk)
        if done > limit:
            raise WrongArchive(f"{what}: is refused, it is larger than {limit} bytes")
        file.write(chunk)
    return done
