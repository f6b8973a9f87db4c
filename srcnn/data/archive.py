"""Safe extraction of selected members of a zip or tar archive, with limits on their size.

What is not extracted is bounded too: a tar archive is inflated up to its last member, and the header of a member may state a
name of gigabytes. So everything that is inflated counts, and no single read may be larger than a member.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from srcnn.errors import DataError

__all__ = ["MAX_MEMBER", "MAX_TOTAL", "WrongArchive", "unpack"]

MAX_MEMBER = 32 << 20  #: maximum size of a member in bytes; the largest in known archives has less than 1 MB
MAX_TOTAL = 512 << 20  #: maximum total size of the extracted members of an archive, in bytes
_CHUNK = 1 << 16
_MEMBERS = 100_000  # maximum number of members; known archives have up to 500
_SPARE = 64 << 20  # bytes of headers and skipped members that a tar archive may inflate to, beside MAX_TOTAL
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # LZMA may ask for 4 GB of memory


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
        for name, is_file, open_member in _members(archive):
            member = PurePosixPath(name.replace("\\", "/"))
            below = rule(member)
            if below is None or member.name.startswith(".") or "__MACOSX" in member.parts:
                continue
            if not is_file or member.is_absolute() or ".." in member.parts or ":" in name:
                raise WrongArchive(
                    f"{archive.name}: is rejected, its member {name!r} is a link or has a path outside of it"
                )
            destination = folder / below
            destination.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, destination.open("wb") as file:
                total += _copy(source, file, min(MAX_MEMBER, MAX_TOTAL - total), f"{archive.name}: {name}")
    except _UNSOUND as error:
        raise WrongArchive(f"{archive.name}: is not a valid archive ({error})") from error


def _members(archive: Path) -> Iterator[tuple[str, bool, Callable[[], IO[bytes]]]]:
    """Yield every member that is not a folder: its name, whether it is a regular file, and a function to open it."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as pack:
            infos = pack.infolist()
            _check_count(len(infos))
            for info in infos:
                kind = stat.S_IFMT(info.external_attr >> 16)  # 0: created on a system without file types
                if not info.is_dir():
                    if info.compress_type not in _COMPRESSIONS:
                        raise ValueError(
                            f"{info.filename[:80]!r} is compressed by an unusual method, {info.compress_type}"
                        )
                    yield info.filename, kind in (0, stat.S_IFREG), partial(pack.open, info)
        return
    with _inflated(archive) as stream, tarfile.open(fileobj=_Bounded(stream), mode="r:") as tar:
        for count, entry in enumerate(tar, start=1):
            _check_count(count)
            if not entry.isdir():
                yield entry.name, entry.isreg(), partial(_opened, tar, entry)


def _check_count(count: int) -> None:
    if count > _MEMBERS:
        raise ValueError(f"it must have at most {_MEMBERS} members, but has more")


def _inflated(archive: Path) -> BinaryIO:
    """Open a tar archive, inflated if it is compressed by gzip; other compressions are not used for sets of images."""
    with archive.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    found: Any = gzip.open(archive) if compressed else archive.open("rb")  # noqa: SIM115 (the caller closes it)
    return cast(BinaryIO, found)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error where more is read than an archive may have."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._end = stream, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + (self._stream.tell() if whence == io.SEEK_CUR else 0)
        self._bound(target)
        return self._stream.seek(target)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_MEMBER:
            raise ValueError(f"a header states {size} bytes, but at most {MAX_MEMBER} can be read")
        self._bound(self._stream.tell() + size)
        return self._stream.read(size)

    def _bound(self, end: int) -> None:
        if end > MAX_TOTAL + _SPARE:
            raise ValueError(f"it must inflate to at most {MAX_TOTAL + _SPARE} bytes")


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
