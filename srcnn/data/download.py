"""Download of an archive over HTTPS, which continues an incomplete download."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from srcnn.errors import DataError

__all__ = ["ARCHIVES", "MAX_DOWNLOAD", "TIMEOUT", "Progress", "download"]

#: Function called with the number of bytes so far, and the total number or None if it is not known.
Progress = Callable[[int, int | None], None]
#: Original address of each archive.
ARCHIVES: Mapping[str, str] = {
    "SRCNN_train.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_train.zip",
    "SRCNN_v1.zip": "https://mmlab.ie.cuhk.edu.hk/projects/SRCNN/SRCNN_v1.zip",
    "BSDS300-images.tgz": "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz",
}
TIMEOUT = 30.0  #: maximum time without data, in seconds
MAX_DOWNLOAD = 512 << 20  #: maximum size of an archive in bytes; the largest known one has 22 MB
_CHUNK = 1 << 16


def _check_url(url: str) -> str:
    try:
        scheme, host = urllib.parse.urlsplit(url).scheme, urllib.parse.urlsplit(url).hostname
    except ValueError as error:
        raise DataError(f"{url}: not a valid address ({error})") from error
    if not host or not (scheme == "https" or (scheme == "http" and host in ("localhost", "127.0.0.1"))):
        raise DataError(f"{url}: the address must begin with https:// (http:// only for this machine)")
    return url


def download(archive: str, folder: Path, base_url: str | None, progress: Progress | None) -> Path:
    """Return the path of an archive in a folder, after downloading it if it is not there.

    Args:
        archive: file name of the archive, one of `ARCHIVES` unless ``base_url`` is given.
        folder: folder for the archive.
        base_url: address of another folder with the archive; None: its original address.
        progress: function called during the download; None: none.

    Raises:
        DataError: the address is invalid or not HTTPS, the archive is too large, or the download fails.
    """
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
            f"{url}: cannot download from {host} ({reason}); try again, or copy the archive to {folder}"
        ) from error
    os.replace(part, target)
    return target


def _stream(url: str, part: Path, progress: Progress | None) -> None:
    """Download to ``part``, continuing at its end. If the connection breaks, the received data is kept and an error raised."""
    with _open(url, part.stat().st_size if part.exists() else 0) as (answer, start):
        _check_url(answer.url)  # the final address after redirects
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        if (total or 0) > MAX_DOWNLOAD:
            raise DataError(f"{url}: an archive must have at most {MAX_DOWNLOAD} bytes, but this one has {total}")
        done = start
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            if progress is not None:
                progress(done, total)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if done > MAX_DOWNLOAD:
                    raise DataError(f"{url}: an archive must have at most {MAX_DOWNLOAD} bytes, but this one has more")
                if progress is not None:
                    progress(done, total)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done < total:
        raise DataError(
            f"{url}: incomplete after {done} of {total} bytes; run the command again to continue the download"
        )


@contextlib.contextmanager
def _open(url: str, offset: int) -> Iterator[tuple[http.client.HTTPResponse, int]]:
    """Yield the response and the position of its body in the file: ``offset`` if the server supports resuming, else 0."""
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
            if error.code != 416:  # 416: the part is as long as the file or longer; it may belong to another file
                raise
            error.close()
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
        yield answer, 0
