"""Reading small files that a person names: what is read is bounded before memory is taken for it.

A name may stand for anything: a device that never ends, a pipe that nobody writes to, a file of gigabytes, a few kilobytes that
inflate to gigabytes, or a thousand brackets, which the readers of the standard library answer with a RecursionError. Only regular
files are opened, their size is bounded, and so are the inflated size and the nesting depth of their content.

All errors about files are OSErrors whose ``strerror`` states the rule and the value, so callers handle them as they handle a file
that is missing.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__ = [
    "DEPTH",
    "decoded",
    "in_units",
    "inflate",
    "open_regular",
    "parse_json",
    "read_bytes",
    "read_gzip",
    "read_text",
]

#: Maximum nesting depth of JSON and YAML. The files of this project nest 6 deep; a person reads no more than a few levels.
DEPTH = 32
#: Default maximum size of a text in bytes. The largest card has 3 kB, the largest record of a search some hundred.
_TEXT = 8 << 20
_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
#: A string, up to the end of the text if it is not closed, or a bracket. It never looks at a character twice.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def in_units(size: int) -> str:
    """Return a size in bytes as text, such as ``8 MiB``, ``1.5 GiB`` or ``300 bytes``."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} bytes"


@contextmanager
def open_regular(path: Path, limit: int) -> Iterator[BinaryIO]:
    """Open a regular file of at most ``limit`` bytes for reading.

    A pipe, a device and a folder are not opened at all: opening some devices has an effect, and a pipe without a writer waits.

    Raises:
        OSError: the file is missing, is not regular, is larger, or cannot be read.
    """
    _check(os.stat(path), path, limit)
    # What the name stands for may have changed since: so it is opened without waiting, and looked at again.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(number, "rb") as file:
        _check(os.fstat(number), path, limit)
        yield file


def _check(found: os.stat_result, path: Path, limit: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        number = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
        raise OSError(number, f"must be a regular file, but is {kind}", str(path))
    if found.st_size > limit:
        raise _too_large(path, limit, found.st_size)


def _too_large(path: Path, limit: int, size: int | None = None) -> OSError:
    most, found = in_units(limit), "more" if size is None else in_units(size)
    return OSError(errno.EFBIG, f"must have at most {most}, but has {'more' if found == most else found}", str(path))


def read_bytes(path: Path, limit: int = _TEXT) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: see `open_regular`; or the file has grown beyond the limit.
    """
    with open_regular(path, limit) as file:
        content = file.read(limit + 1)  # a file of /proc states a size of 0
    if len(content) > limit:
        raise _too_large(path, limit)
    return content


def read_text(path: Path, limit: int = _TEXT) -> str:
    """Return the text of a regular file in UTF-8, of at most ``limit`` bytes.

    Raises:
        OSError: see `read_bytes`; or the content is not UTF-8.
    """
    return decoded(read_bytes(path, limit), path)


def decoded(content: bytes, path: Path) -> str:
    """Return the content of a file as text.

    Raises:
        OSError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, f"is not a text file in UTF-8, see byte {error.start}", str(path)) from None


def read_gzip(path: Path, limit: int, inflated: int) -> str:
    """Return the text of a file compressed by gzip.

    Args:
        path: the file.
        limit: maximum size of the file in bytes.
        inflated: maximum size of the text in bytes.

    Raises:
        OSError: see `read_text`; or the file inflates to more, or is not gzip, damaged or incomplete.
    """
    content, parts, left = read_bytes(path, limit), list[bytes](), inflated
    try:
        while content:  # a file of gzip is one or more members
            member, content = inflate(content, left, wbits=31)
            parts.append(member)
            left -= len(member)
    except OverflowError:
        raise OSError(
            errno.EFBIG, f"must inflate to at most {in_units(inflated)}, but inflates to more", str(path)
        ) from None
    except (zlib.error, EOFError) as error:
        raise OSError(errno.EILSEQ, f"is damaged or not gzip: {error}", str(path)) from None
    if not parts:
        raise OSError(errno.EILSEQ, "is damaged or not gzip: it is empty", str(path))
    return decoded(b"".join(parts), path)


def inflate(content: bytes, limit: int, *, wbits: int = 15) -> tuple[bytes, bytes]:
    """Inflate one stream of zlib (``wbits=15``) or gzip (31), and return it with what follows it.

    Raises:
        OverflowError: it inflates to more than ``limit`` bytes.
        EOFError: it is incomplete.
        zlib.error: it is damaged.
    """
    inflater, parts, size = zlib.decompressobj(wbits), list[bytes](), 0
    while not inflater.eof:
        part = inflater.decompress(content, min(_CHUNK, limit + 1 - size))
        content = inflater.unconsumed_tail
        size += len(part)
        if size > limit:
            raise OverflowError(f"inflates to more than {in_units(limit)}")
        parts.append(part)
        if not part and not content and not inflater.eof:
            raise EOFError("it ends too early")
    return b"".join(parts), inflater.unused_data


def parse_json(text: str, depth: int = DEPTH) -> Any:
    """Return the value of a JSON text. A name that appears twice in an object is an error, as is deep nesting.

    Raises:
        ValueError: the text is not JSON, nests deeper than ``depth``, or repeats a name.
    """
    if text.count("[") + text.count("{") > depth:
        _check_depth(text, depth)
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except RecursionError:  # with an unbalanced quotation mark
        raise ValueError(f"must nest at most {depth} deep") from None


def _check_depth(text: str, most: int) -> None:
    found = 0
    for match in _BRACKETS.finditer(text):
        if match[0] in "[{":
            found += 1
            if found > most:
                raise ValueError(f"must nest at most {most} deep, but nests deeper at character {match.start()}")
        elif match[0] in "]}":
            found -= 1


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{twice[:80]!r} appears twice in an object")
    return found
