"""Downloads: the named sets and the authors' weights, from the places that published them.

An archive is streamed to ``<root>/.downloads/<archive>.part``, taken up again where it broke off, and kept. Only the
wanted members are taken out of it, by the folders they lie in, into a temporary folder beside their destination; they
are verified there, and moved into place as a whole. Whatever fails, nothing half-made is left where a set belongs.

``$SRCNN_MIRROR`` (or ``base_url``) names another place that has the same archives. Only HTTPS is spoken, but for this
very machine.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import lzma
import os
import re
import stat
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from srcnn.datasets import SETS, KnownSet, locate, verify
from srcnn.errors import DataError, unknown_name
from srcnn.images import SUFFIXES

__all__ = ["ARCHIVES", "WEIGHTS", "check_name", "fetch", "names", "place", "problems"]

Progress = Callable[[int, int | None], None]

#: Where each archive was published.
ARCHIVES: Mapping[str, str] = {
    "SRCNN_train.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_train.zip",
    "SRCNN_v1.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_v1.zip",
    "BSDS300-images.tgz": "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz",
}
_WEIGHTS_ARCHIVE = "SRCNN_v1.zip"

#: The authors' MATLAB files, ``<kernels>(<training set>)/x<scale>.mat``, and the SHA-256 that each begins with.
WEIGHTS: Mapping[str, str] = {
    "9-1-5(91 images)/x2.mat": "51b748297e866983",
    "9-1-5(91 images)/x3.mat": "ef05325a96221ab9",
    "9-1-5(91 images)/x4.mat": "717c2c6f5196a959",
    "9-1-5(ImageNet)/x3.mat": "6390633511025318",
    "9-3-5(ImageNet)/x3.mat": "d798df50cf1e1b26",
    "9-5-5(ImageNet)/x2.mat": "dc06d52ab0ecfb75",
    "9-5-5(ImageNet)/x3.mat": "fa2ee366d328b942",
    "9-5-5(ImageNet)/x4.mat": "3f94150d24e5b60d",
}

TIMEOUT = 30.0  #: seconds without a byte
MAX_DOWNLOAD = 512 << 20  #: bytes of an archive; the largest known has 22 MB
MAX_MEMBER = 32 << 20  #: bytes of one file inside; the largest known has under 1 MB
MAX_TOTAL = 512 << 20  #: bytes of all the files taken out of one archive
_CHUNK = 1 << 16


class _WrongArchive(DataError):
    """The downloaded file is not what it should be, so that keeping it would only repeat the failure."""


def names() -> list[str]:
    """What `fetch` knows: every named set that is not bundled, and ``weights``."""
    return [name for name, known in SETS.items() if not known.bundled] + ["weights"]


def check_name(name: str) -> None:
    """Refuse a name that is neither a set nor ``weights``.

    Raises:
        DataError: with the names there are, nearest first.
    """
    if name not in SETS and name != "weights":
        raise DataError(unknown_name("data set", name, [*SETS, "weights"]))


def place(name: str, root: Path) -> Path:
    """The folder below ``root`` that `fetch` fills for a name.

    Raises:
        DataError: no such name, or a bundled set.
    """
    if name == "weights":
        return root / "weights" / "srcnn-official"
    return locate(name, root)


def problems(name: str, root: Path) -> list[str]:
    """`srcnn.datasets.verify`, for ``weights`` too: one line for everything that is wrong.

    Raises:
        DataError: no such name.
    """
    if name != "weights":
        return verify(name, root)
    folder = place(name, root)
    found = []
    for file, digest in WEIGHTS.items():
        try:
            actual = hashlib.sha256((folder / file).read_bytes()).hexdigest()[: len(digest)]
        except OSError as error:
            found.append(f"{folder / file}: {error.strerror or error}")
            continue
        if actual != digest:
            found.append(f"{folder / file}: the SHA-256 must begin with {digest}, but begins with {actual}")
    return found


def fetch(name: str, root: Path, *, base_url: str | None = None, progress: Progress | None = None) -> str:
    """Download, unpack and verify one set, or ``weights``, unless it is there already.

    Args:
        name: one of `names`, or a bundled set, for which there is nothing to do.
        root: the data root; made if need be.
        base_url: a place with the same archives, instead of ``$SRCNN_MIRROR`` or the publishers.
        progress: told ``(bytes done, bytes in all or None)`` now and then.

    Returns:
        One line that says what was done.

    Raises:
        DataError: no such name; the network or the server fails; the archive is not the right one; or the destination
            holds something else, which is left alone.
    """
    check_name(name)
    if name in SETS and SETS[name].bundled:
        return f"{name}: nothing to fetch, it is part of {SETS[name].source}"
    target = place(name, root)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        wrong = problems(name, root)
        if wrong:
            raise DataError(f"{target}: holds something else ({wrong[0]}); move it away and fetch again")
        return f"{name}: already in {target}, verified"
    archive = SETS[name].source if name in SETS else _WEIGHTS_ARCHIVE
    try:
        file = _download(archive, root / ".downloads", base_url or os.environ.get("SRCNN_MIRROR"), progress)
        try:
            _install(name, file, root, target)
        except _WrongArchive as error:
            file.unlink(missing_ok=True)
            raise DataError(f"{error}; it was deleted, fetch again") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be written to {root} ({error})") from error
    return f"{name}: now in {target}, verified"


# Download ----------------------------------------------------------------------------------------------------------


def _check_url(url: str) -> str:
    try:
        scheme, host = urllib.parse.urlsplit(url).scheme, urllib.parse.urlsplit(url).hostname
    except ValueError as error:
        raise DataError(f"{url}: not an address ({error})") from error
    if not host or not (scheme == "https" or (scheme == "http" and host in ("localhost", "127.0.0.1"))):
        raise DataError(f"{url}: the address must begin with https:// (http:// only for this machine)")
    return url


def _download(archive: str, folder: Path, base_url: str | None, progress: Progress | None) -> Path:
    """The archive in ``folder``: as it lies there from an earlier fetch, or else downloaded."""
    target = folder / archive
    if target.is_file():
        return target
    url = _check_url(f"{base_url.rstrip('/')}/{archive}" if base_url else ARCHIVES[archive])
    host = urllib.parse.urlsplit(url).netloc
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive}.part"
    try:
        _stream(url, part, progress)
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: {host} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise DataError(
            f"{url}: cannot download from {host} ({reason}); try again, or put the archive in {folder} by hand"
        ) from error
    os.replace(part, target)
    return target


def _stream(url: str, part: Path, progress: Progress | None) -> None:
    """Bring ``part`` to the full length, beginning where it ends; a short body raises and keeps what has come."""
    with _open(url, part.stat().st_size if part.exists() else 0) as (answer, start):
        _check_url(answer.url)  # where the redirects led to
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        if (total or 0) > MAX_DOWNLOAD:
            raise DataError(f"{url}: an archive may have {MAX_DOWNLOAD} bytes, but this has {total}")
        done = start
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            if progress is not None:
                progress(done, total)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if done > MAX_DOWNLOAD:
                    raise DataError(f"{url}: an archive may have {MAX_DOWNLOAD} bytes, but this goes on")
                if progress is not None:
                    progress(done, total)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise DataError(f"{url}: broke off after {done} of {total} bytes; run it again to go on from there")


@contextlib.contextmanager
def _open(url: str, offset: int) -> Iterator[tuple[http.client.HTTPResponse, int]]:
    """The answer, and the place in the file at which its body begins: ``offset`` if the server resumes, else 0."""
    headers = {"User-Agent": "srcnn", "Accept-Encoding": "identity"}
    if offset:
        request = urllib.request.Request(url, headers={**headers, "Range": f"bytes={offset}-"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                if answer.status != 206:
                    yield answer, 0
                    return
                if re.match(rf"bytes {offset}-", answer.headers.get("Content-Range", "")):
                    yield answer, offset
                    return
        except urllib.error.HTTPError as error:
            if error.code != 416:  # 416: our part is as long as the file, or longer; it may be of another file
                raise
            error.close()
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        yield answer, 0


# Unpacking ---------------------------------------------------------------------------------------------------------


def _install(name: str, archive: Path, root: Path, target: Path) -> None:
    """Unpack what belongs to ``name``, verify it, and move it to ``target``."""
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root) as staging:
        folder = place(name, Path(staging))
        folder.mkdir(parents=True)
        _unpack(archive, folder, _weights_member if name == "weights" else _set_member(SETS[name]))
        wrong = problems(name, Path(staging))
        if wrong:
            raise _WrongArchive(f"{archive.name}: is not the archive of {name} ({wrong[0].replace(staging, '')})")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # empty, or fetch would not have come here
            target.rmdir()
        os.replace(folder, target)


def _set_member(known: KnownSet) -> Callable[[PurePosixPath], str | None]:
    """A rule that gives the place of a member below the set's folder, or None for what is not wanted."""
    inside = tuple(part.casefold() for part in known.inside)

    def rule(member: PurePosixPath) -> str | None:
        folders = tuple(part.casefold() for part in member.parent.parts)
        wanted = folders[-len(inside) :] == inside and member.suffix.lower() in SUFFIXES
        return member.name if wanted else None

    return rule


def _weights_member(member: PurePosixPath) -> str | None:
    below = "/".join(member.parts[-2:])
    return below if member.parts[-3:-2] == ("model",) and below in WEIGHTS else None


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


def _unpack(archive: Path, folder: Path, rule: Callable[[PurePosixPath], str | None]) -> None:
    total = 0
    try:
        for name, is_file, open_member in _members(archive):
            member = PurePosixPath(name.replace("\\", "/"))
            below = rule(member)
            if below is None or member.name.startswith(".") or "__MACOSX" in member.parts:
                continue
            if not is_file or member.is_absolute() or ".." in member.parts or ":" in name:
                raise _WrongArchive(f"{archive.name}: is refused, its member {name!r} is a link or leads out of it")
            destination = folder / below
            destination.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, destination.open("wb") as file:
                total += _copy(source, file, min(MAX_MEMBER, MAX_TOTAL - total), f"{archive.name}: {name}")
    except _UNSOUND as error:
        raise _WrongArchive(f"{archive.name}: is not a sound archive ({error})") from error


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
            raise _WrongArchive(f"{what}: is refused, it is larger than {limit} bytes")
        file.write(chunk)
    return done
