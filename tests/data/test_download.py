"""One archive over HTTP from a real server on this machine: resumed, bounded, refused."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from srcnn.data import download, fetch
from srcnn.data.datasets import verify
from srcnn.data.known_sets import SETS
from srcnn.errors import DataError

from mirror import GOOD, Server, nothing_half_made, zipped


def test_a_short_body_is_an_error_and_the_next_try_resumes(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    server.cut = 300
    with pytest.raises(DataError, match=rf"incomplete after 300 of {len(server.files['SRCNN_train.zip'])} bytes"):
        fetch.fetch("T91", root, base_url=server.url)
    assert (root / ".downloads" / "SRCNN_train.zip.part").stat().st_size == 300
    nothing_half_made(root)
    server.cut = None
    fetch.fetch("T91", root, base_url=server.url)
    assert server.ranges == [None, "bytes=300-"]
    assert (root / ".downloads" / "SRCNN_train.zip").read_bytes() == server.files["SRCNN_train.zip"]


def test_a_server_that_does_not_resume_begins_again(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    server.resumes = False
    (root / ".downloads").mkdir(parents=True)
    (root / ".downloads" / "SRCNN_train.zip.part").write_bytes(b"x" * 100)
    fetch.fetch("T91", root, base_url=server.url)
    assert server.ranges == ["bytes=100-"]


def test_a_part_that_is_too_long_is_begun_again(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    (root / ".downloads").mkdir(parents=True)
    (root / ".downloads" / "SRCNN_train.zip.part").write_bytes(b"x" * 10**5)
    fetch.fetch("T91", root, base_url=server.url)
    assert server.ranges == ["bytes=100000-", None]


def test_an_interrupted_download_keeps_its_part(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped({**GOOD, "Other/noise": np.random.default_rng(0).bytes(300_000)})

    def stop(done: int, total: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("T91", root, base_url=server.url, progress=stop)
    assert (root / ".downloads" / "SRCNN_train.zip.part").stat().st_size > 100_000
    nothing_half_made(root)
    fetch.fetch("T91", root, base_url=server.url)
    assert verify("T91", root) == []


def test_downloads_are_bounded(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MAX_DOWNLOAD", 100)
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    with pytest.raises(DataError, match="an archive must have at most 100 bytes"):
        fetch.fetch("T91", root, base_url=server.url)


def test_a_missing_archive_is_one_line(server: Server, root: Path) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1:\d+ answers 404"):
        fetch.fetch("T91", root, base_url=server.url)


def test_a_server_that_is_not_there_is_one_line(root: Path, server: Server) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        free = http.server_port
    with pytest.raises(DataError, match=rf"cannot download from 127\.0\.0\.1:{free} \(.*refused"):
        fetch.fetch("T91", root, base_url=f"http://127.0.0.1:{free}")


@pytest.mark.parametrize("url", ["http://example.com", "ftp://example.com", "file:///etc", "https://", "https://[x"])
def test_only_https_is_spoken(root: Path, url: str) -> None:
    with pytest.raises(DataError, match=r"the address must begin with https|not a valid address"):
        fetch.fetch("T91", root, base_url=url)
    assert not root.exists()


def test_redirects_are_followed_but_not_away_from_https(server: Server, root: Path) -> None:
    server.files["moved.zip"] = zipped(GOOD)
    server.redirect = server.url.replace("127.0.0.1", "127.1") + "/moved.zip"  # this machine under a name not allowed
    with pytest.raises(DataError, match=r"http://127\.1:.*must begin with https"):
        fetch.fetch("T91", root, base_url=server.url)
    assert not root.exists()
    server.redirect = server.url + "/moved.zip"
    fetch.fetch("T91", root, base_url=server.url)
    assert verify("T91", root) == []


def test_every_set_comes_from_an_archive_that_has_an_address() -> None:
    for name in fetch.names():
        assert name == "weights" or SETS[name].source in download.ARCHIVES
    assert all(url.startswith("https://") and url.endswith("/" + name) for name, url in download.ARCHIVES.items())
