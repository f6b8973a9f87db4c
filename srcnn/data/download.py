"""Download of an archive over HTTPS, which continues an incomplete download, from a server that need not be a good one.

One thread receives, and this one writes and keeps the time: whatever the server or the network does, even within the name service
or the encryption, the download ends after a limit. What was received is kept if it can be continued later.
"""

from __future__ import annotations

import http.client
import os
import queue
import re
import stat
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from srcnn.errors import DataError
from srcnn.system.passwords import masked

__all__ = ["ARCHIVES", "LEAST_RATE", "LONGEST", "MAX_DOWNLOAD", "TIMEOUT", "Progress", "download"]

#: Function called with the number of bytes so far, and the total number or None if it is not known.
Progress = Callable[[int, int | None], None]
#: Original address of each archive.
ARCHIVES: Mapping[str, str] = {
    "SRCNN_train.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_train.zip",
    "SRCNN_v1.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_v1.zip",
    "BSDS300-images.tgz": "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz",
}
TIMEOUT = 30.0  #: maximum time until the answer begins, redirections included, and without data, in seconds
LEAST_RATE = 1000.0  #: bytes per second that must come in each period of `TIMEOUT`
LONGEST = 2 * 3600.0  #: maximum time of a download in seconds
MAX_DOWNLOAD = 512 << 20  #: maximum size of an archive in bytes; the largest known one has 22 MB
_CHUNK = 1 << 16
_AHEAD = 16  # chunks that wait to be written
_WORTH = 1 << 16  # bytes of a slow download that are worth keeping
_MOST_REDIRECTIONS = 5
_LONGEST_URL = 2000  # characters
_LOCAL = ("localhost", "127.0.0.1")
_LENGTH = re.compile(r"[0-9]{1,15}")


class _Head(NamedTuple):
    """Beginning of an answer."""

    start: int  #: position of the body in the file
    total: int | None  #: size of the file, if the server says it
    resumable: bool  #: whether the server may continue an incomplete download


def _check_url(url: str) -> str:
    shown = _clean(url)
    try:
        parts = urllib.parse.urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise DataError(f"{shown}: not a valid address ({_clean(str(error))})") from error
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _LONGEST_URL or port == 0:
        raise DataError(
            f"{shown}: not a valid address (it must consist of at most {_LONGEST_URL} ASCII characters, without spaces)"
        )
    if not host or not (scheme == "https" or (scheme == "http" and host in _LOCAL)):
        raise DataError(f"{shown}: the address must begin with https:// (http:// only for this machine)")
    if "@" in parts.netloc:
        raise DataError(f"{shown}: the address must not contain a user or a password")
    return url


def _clean(text: str) -> str:
    """Return a text of a server or user as part of one line."""
    kept = "".join(character if character.isprintable() else " " for character in masked(text))
    return " ".join(kept.split())[:300]


def download(archive: str, folder: Path, base_url: str | None, progress: Progress | None) -> Path:
    """Return the path of an archive in a folder, after downloading it if it is not there.

    Args:
        archive: file name of the archive, one of `ARCHIVES` unless ``base_url`` is given.
        folder: folder for the archive.
        base_url: address of another folder with the archive; None: its original address.
        progress: function called during the download; None: none.

    Raises:
        DataError: the address is invalid or not HTTPS, the archive is too large, the server is too slow or breaks the protocol,
            another process downloads the archive, or the download fails.
        OSError: the folder cannot be written.
    """
    target = folder / archive
    if target.is_file():
        return target
    url = _check_url(ARCHIVES[archive] if base_url is None else f"{base_url.rstrip('/')}/{archive}")
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive}.part"
    try:
        with _opened(part) as file:
            _stream(url, file, folder, progress)
        os.replace(part, target)
    finally:
        for place in missing:  # empty, if nothing came
            with suppress(OSError):
                place.rmdir()
    return target


@contextmanager
def _opened(part: Path) -> Iterator[BinaryIO]:
    """Yield the file of an incomplete download, which this process alone writes."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with open(os.open(part, flags, 0o644), "r+b") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DataError(f"{part}: must be a file; move it away and fetch again")
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(f"{part}: another process is downloading this archive; wait for its end") from None
            except OSError:  # a file system without such locks
                pass
        try:
            yield file
        finally:
            if os.fstat(file.fileno()).st_size == 0:
                with suppress(OSError):
                    part.unlink()


def _stream(url: str, file: BinaryIO, folder: Path, progress: Progress | None) -> None:
    """Download to the end of a file. If the connection breaks, the received data is kept and an error raised."""
    host = urllib.parse.urlsplit(url).netloc
    offset = file.seek(0, os.SEEK_END)
    inbox: queue.Queue[_Head | bytes | Exception | None] = queue.Queue(_AHEAD)
    gone = threading.Event()
    threading.Thread(target=_receive, args=(url, offset, inbox, gone), daemon=True, name="download").start()
    done, head, whole = offset, _Head(offset, None, True), False
    try:
        head = _first(url, inbox)
        if (head.total or 0) > MAX_DOWNLOAD:
            raise _Useless(f"{url}: an archive must have at most {MAX_DOWNLOAD} bytes, but this one has {head.total}")
        done = file.seek(head.start)
        if progress is not None:
            progress(done, head.total)
        for chunk in _chunks(inbox):
            chunk = chunk if head.total is None else chunk[: head.total - done]
            file.write(chunk)
            done += len(chunk)
            if done > MAX_DOWNLOAD:
                raise _Useless(f"{url}: an archive must have at most {MAX_DOWNLOAD} bytes, but this one has more")
            if progress is not None:
                progress(done, head.total)
            if done == head.total:
                break
        if not done:
            raise _Useless(f"{url}: the archive is empty")
        whole = head.total is None or done == head.total
    except urllib.error.HTTPError as error:
        error.close()
        raise DataError(f"{url}: {host} answers {error.code} {_clean(str(error.reason))}") from None
    except (ValueError, http.client.HTTPException, _Broken) as error:
        raise DataError(
            f"{url}: cannot download from {host} ({_reason(error)}); try again, or copy the archive to {folder}"
        ) from error
    except _Slow as error:
        if done < _WORTH:
            head = head._replace(resumable=False)
        raise DataError(f"{url}: {error}; try again later, or use another --mirror") from None
    except _Useless:
        head = head._replace(resumable=False)
        raise
    finally:
        gone.set()
        file.truncate(done if whole or head.resumable else 0)  # of a file that was begun anew, only what is new
        file.flush()
        os.fsync(file.fileno())
    if not whole:
        more = "run the command again to continue the download" if head.resumable else "run the command again"
        raise DataError(f"{url}: incomplete after {done} of {head.total} bytes; {more}")


class _Useless(DataError):
    """What was received is of no use."""


class _Slow(Exception):
    """The server is too slow."""


class _Broken(Exception):
    """The connection broke."""


def _reason(error: Exception) -> str:
    inner = error.__cause__ if isinstance(error, _Broken) and error.__cause__ is not None else error
    return _clean(str(getattr(inner, "reason", None) or str(inner) or type(inner).__name__))


def _raise(item: Exception) -> Exception:
    """Return an error of the receiving thread for this one: its OSErrors are those of the network, not of the disk."""
    if isinstance(item, OSError) and not isinstance(item, urllib.error.HTTPError):
        broken = _Broken()
        broken.__cause__ = item
        return broken
    return item


def _first(url: str, inbox: queue.Queue[Any]) -> _Head:
    try:
        item = inbox.get(timeout=TIMEOUT)
    except queue.Empty:
        raise _Slow(f"no answer within {TIMEOUT:.0f} s") from None
    if isinstance(item, Exception):
        raise _raise(item)
    assert isinstance(item, _Head), f"{url}: the head of the answer comes first"
    return item


def _chunks(inbox: queue.Queue[Any]) -> Iterator[bytes]:
    """Yield the parts of the body while they come fast enough."""
    began = since = time.monotonic()
    received = 0
    while True:
        now = time.monotonic()
        if now - began > LONGEST:
            raise _Slow(f"not complete within {LONGEST:.0f} s")
        if now - since >= TIMEOUT:
            if received < LEAST_RATE * TIMEOUT:
                raise _Slow(
                    f"too slow, {received} bytes in {now - since:.0f} s; at least {LEAST_RATE:.0f} a second are needed"
                )
            since, received = now, 0
        try:
            item = inbox.get(timeout=min(since + TIMEOUT, began + LONGEST) - now + 0.01)
        except queue.Empty:
            continue
        if item is None:
            return
        if isinstance(item, Exception):
            raise _raise(item)
        received += len(item)
        yield item


def _receive(url: str, offset: int, inbox: queue.Queue[Any], gone: threading.Event) -> None:
    """Receive a file and put its parts into the queue, until it ends or the reader is gone."""

    def put(item: _Head | bytes | Exception | None) -> bool:
        while not gone.is_set():
            with suppress(queue.Full):
                inbox.put(item, timeout=0.2)
                return True
        return False

    try:
        with _answer(url, offset) as (answer, start):
            if not put(_head(url, answer.headers, start)):
                return
            while (chunk := answer.read1(_CHUNK)) and put(chunk):
                pass
        put(None)
    except Exception as error:  # raised again in the thread that writes
        put(error)


def _head(url: str, headers: Message, start: int) -> _Head:
    lengths = {part.strip() for value in headers.get_all("Content-Length", []) for part in str(value).split(",")}
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        said = _clean(", ".join(sorted(lengths)))
        raise _Useless(f"{url}: the server's Content-Length must be a number of bytes, but is {said!r}")
    total = start + int(lengths.pop()) if lengths and "Transfer-Encoding" not in headers else None
    ranges = str(headers.get("Accept-Ranges", "")).strip().lower()
    return _Head(start, total, ranges == "bytes" or (ranges != "none" and total is not None))


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections to allowed addresses only: never away from HTTPS, nor from another machine to this one."""

    max_redirections = max_repeats = _MOST_REDIRECTIONS

    def http_error_302(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Message) -> Any:
        """Follow a redirection; if it is refused, close the connection."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]
        except (DataError, ValueError):
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request for the new address."""
        _check_url(newurl)
        before, after = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if before.hostname not in _LOCAL and after.hostname in _LOCAL:
            raise DataError(f"{_clean(newurl)}: a server must not redirect a download to this machine")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses of http and https, and no files or FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirections(),
    ):
        opener.add_handler(handler)
    return opener


@contextmanager
def _answer(url: str, offset: int) -> Iterator[tuple[http.client.HTTPResponse, int]]:
    """Yield the response and the position of its body in the file: ``offset`` if the server supports resuming, else 0."""
    headers, opener = {"User-Agent": "srcnn", "Accept-Encoding": "identity"}, _opener()
    if offset:
        request = urllib.request.Request(url, headers={**headers, "Range": f"bytes={offset}-"})
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                if answer.status != 206:
                    yield answer, 0
                    return
                if re.match(rf"bytes {offset}-", answer.headers.get("Content-Range", "")):
                    yield answer, offset
                    return
        except urllib.error.HTTPError as error:
            if error.code != 416:  # 416: the part is as long as the file or longer; it may belong to another file
                raise
            error.close()
    with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        yield answer, 0
