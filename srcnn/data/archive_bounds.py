"""Bounds on an archive before its members are read: their number, the sizes they claim, and how far it inflates.

A small file can claim millions of members, each of which costs memory to list, or inflate a thousandfold. The known archives have
at most 1,500 members and inflate to less than twice their size, so the bounds here are far from them.
"""

from __future__ import annotations

import gzip
import os
import struct
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

__all__ = [
    "MAX_INFLATED",
    "MAX_MEMBERS",
    "MAX_RATIO",
    "OutOfBounds",
    "bounded_tar",
    "check_claims",
    "check_directory",
    "counted_members",
]

MAX_MEMBERS = 20_000  #: members of an archive
MAX_INFLATED = 512 << 20  #: bytes of a tar archive without its compression
MAX_RATIO = 200  #: claimed size of a large member of a zip archive by its size in the archive; images reach 20
_LARGE = 1 << 20  # bytes from which the ratio counts
_MOST_AT_ONCE = 4 << 20  # bytes of one read: headers of a tar archive may claim any size
_DIRECTORY_PER_MEMBER = 512  # bytes; a name of usual length with its fields has less than 200
_END, _END_SIZE, _COMMENT = b"PK\x05\x06", 22, 0xFFFF
_GZIP = b"\x1f\x8b"


class OutOfBounds(ValueError):
    """An archive or its claims are too large."""


def check_directory(archive: Path) -> None:
    """Check the number of members and the size of a zip archive's directory, without reading it.

    Raises:
        OutOfBounds: they are too large.
        ValueError: it is not a zip archive.
        OSError: the file cannot be read.
    """
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END_SIZE - _COMMENT))
        tail = file.read()
    last = tail[-_END_SIZE:]
    # As zipfile looks for it: at the end if it has no comment, else the last one in the tail.
    place = len(tail) - _END_SIZE if last.startswith(_END) and last.endswith(b"\0\0") else tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise ValueError("it has no directory")
    members, length = struct.unpack_from("<HL", tail, place + 10)
    if b"PK\x06\x07" in tail[max(0, place - 20) : place]:
        raise OutOfBounds("it is in the format for archives above 4 GB")
    if members > MAX_MEMBERS or length > MAX_MEMBERS * _DIRECTORY_PER_MEMBER:
        raise OutOfBounds(f"it must have at most {MAX_MEMBERS} members, but has {members} in {length} bytes")


def check_claims(members: Iterable[zipfile.ZipInfo], most: int) -> None:
    """Check the sizes that the wanted members of a zip archive claim.

    Args:
        members: the members that will be extracted.
        most: bytes that they may have together.

    Raises:
        OutOfBounds: they are too large together, one of them inflates too far, or is compressed by an unusual method.
    """
    total = 0
    for one in members:
        total += one.file_size
        if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise OutOfBounds(f"{one.filename!r} must be stored or deflated, but has the method {one.compress_type}")
        if one.file_size > max(_LARGE, MAX_RATIO * one.compress_size):
            raise OutOfBounds(f"{one.filename!r} inflates from {one.compress_size} to {one.file_size} bytes")
    if total > most:
        raise OutOfBounds(f"its members have {total} bytes, but at most {most} are allowed")


@contextmanager
def bounded_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive, plain or with gzip, so that it cannot inflate further than `MAX_INFLATED`.

    Raises:
        OutOfBounds: while it is read, if it inflates further.
        tarfile.TarError, gzip.BadGzipFile: it is not such an archive.
        OSError: the file cannot be read.
    """
    with archive.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        inside: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        with tarfile.open(fileobj=_Bounded(inside), mode="r:") as tar:  # type: ignore[call-overload]
            yield tar


def counted_members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar archive.

    Raises:
        OutOfBounds: there are more than `MAX_MEMBERS`.
    """
    for number, entry in enumerate(tar, 1):
        if number > MAX_MEMBERS:
            raise OutOfBounds(f"it must have at most {MAX_MEMBERS} members, but has more")
        yield entry


class _Bounded:
    """File for reading whose positions and reads are bounded."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def _check(self, place: int) -> None:
        if place > MAX_INFLATED:
            raise OutOfBounds(f"it must have at most {MAX_INFLATED} bytes without its compression, but has more")

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE:
            raise OutOfBounds(f"a header of it claims {size} bytes")
        self._check(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise OutOfBounds("only positions from its start can be reached")
        self._check(place)
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
