"""Safe extraction of selected members of a zip or tar archive, with limits on their size."""

from __future__ import annotations

import errno
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

from srcnn.data.archive_bounds import OutOfBounds, bounded_tar, check_claims, check_directory, counted_members
from srcnn.errors import DataError

__all__ = ["MAX_MEMBER", "MAX_TOTAL", "WrongArchive", "unpack"]

MAX_MEMBER = 32 << 20  #: maximum size of a member in bytes; the largest in known archives has less than 1 MB
MAX_TOTAL = 512 << 20  #: maximum total size of the extracted members of an archive, in bytes
_CHUNK = 1 << 16


class WrongArchive(DataError):
    """The downloaded archive is invalid. It must be deleted, because using it again would fail again."""


#: Errors of the standard library for files that are not archives, or are damaged, encrypted or compressed by another method.
_UNSOUND = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,  # NotImplementedError is one
    IndexError,  # a member without a name
    ValueError,
)


def unpack(archive: Path, folder: Path, rule: Callable[[PurePosixPath], str | None]) -> None:
    """Extract selected members of an archive.

    Args:
        archive: zip or tar archive; files that are not ``.zip`` are read as tar.
        folder: target folder.
        rule: function that returns the path of a member in ``folder``; None: the member is skipped.

    Raises:
        WrongArchive: the archive is invalid, a member is too large, or a selected member is a link or lies outside of the
            archive.
    """
    total = 0
    try:
        for name, is_file, open_member in _members(archive, lambda name: _target(name, rule) is not None):
            member, below = _path(name), _target(name, rule)
            if below is None:
                continue
            if not is_file or member.is_absolute() or ".." in member.parts or ":" in name:
                raise WrongArchive(
                    f"{archive.name}: is rejected, its member {name!r} is a link or has a path outside of it"
                )
            destination = folder / below
            destination.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, destination.open("wb") as file:
                total += _copy(source, file, min(MAX_MEMBER, MAX_TOTAL - total), f"{archive.name}: {name}")
    except OutOfBounds as error:
        raise WrongArchive(f"{archive.name}: is rejected, {error}") from error
    except _UNSOUND as error:
        raise WrongArchive(f"{archive.name}: is not a valid archive ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise WrongArchive(f"{archive.name}: is not a valid archive (a member lies before its start)") from error


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _target(name: str, rule: Callable[[PurePosixPath], str | None]) -> str | None:
    """Return the path of a member in the target folder; None if it is not wanted, or a left-over of another system."""
    member = _path(name)
    return None if member.name.startswith(".") or "__MACOSX" in member.parts else rule(member)


def _members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]:
    """Yield every member that is not a folder: its name, whether it is a regular file, and a function to open it."""
    if archive.suffix == ".zip":
        check_directory(archive)
        with zipfile.ZipFile(archive) as pack:
            check_claims((info for info in pack.infolist() if wanted(info.filename)), MAX_TOTAL)
            for info in pack.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)  # 0: created on a system without file types
                if not info.is_dir():
                    yield info.filename, kind in (0, stat.S_IFREG), partial(pack.open, info)
        return
    with bounded_tar(archive) as tar:
        for entry in counted_members(tar):
            if not entry.isdir():
                yield entry.name, entry.isreg(), partial(_opened, tar, entry)


def _opened(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(entry)
    assert file is not None, "only regular files are opened"
    return file


def _copy(source: IO[bytes], file: IO[bytes], limit: int, what: str) -> int:
    """Copy at most ``limit`` bytes, whatever length the archive states; return the number of bytes."""
    done = 0
    while chunk := source.read(_CHUNK):
        done += len(chunk)
        if done > limit:
            raise WrongArchive(f"{what}: is rejected, it is larger than {limit} bytes")
        file.write(chunk)
    return done
