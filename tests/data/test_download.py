"""One archive over HTTP from a real server on this machine: resumed, bounded, refused."""

from __future__ import annotations

import fcntl
import io
import os
import urllib.request
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hostile import dripping, hostile, saying, silent

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


OK = b"HTTP/1.1 200 OK\r\n"


def refused(root: Path, url: str, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        fetch.fetch("T91", root, base_url=url)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 900
    assert not root.exists(), "what came is of no use, so nothing is left of it"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (silent, r"no answer within 0 s|\(timed out\)"),
        (dripping(b"", b"H"), r"no answer within 0 s|\(timed out\)"),
        (dripping(OK, b"x"), r"no answer within 0 s|\(timed out\)"),
        (dripping(OK + b"X: ", b"x"), r"no answer within 0 s|\(timed out\)"),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), r"no answer within 0 s|\(timed out\)"),
        (dripping(OK + b"Content-Length: 9999\r\n\r\n", b"x"), "too slow, .*; at least 1000 a second are needed"),
        (dripping(OK + b"\r\n", b"x"), "too slow"),
        (dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "too slow"),
        (dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"), "too slow"),
    ],
)
def test_a_server_that_drips_is_given_up(root: Path, behaviour: object, says: str) -> None:
    with hostile(behaviour) as url:  # type: ignore[arg-type]
        refused(root, url, says)


def test_a_server_that_is_fast_enough_has_a_last_moment_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LONGEST", 0.3)
    with hostile(dripping(OK + b"\r\n", b"x" * 200, 0.01)) as url:
        refused(root, url, "not complete within 0 s")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "cannot download from"),
        (b"\xff\xfe\x00", "cannot download from"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "cannot download from"),
        (b"HTTP/1.1 abc def\r\n\r\n", "cannot download from"),
        (b"HTTP/1.1 200 " + b"a" * 70_000, "cannot download from"),
        (OK + b"X: " + b"a" * 70_000, "cannot download from"),
        (OK + b"X: a\r\n" * 200 + b"\r\n", "cannot download from"),
        (OK + b"Content-Length: abc\r\n\r\nx", "Content-Length must be a number of bytes, but is 'abc'"),
        (OK + b"Content-Length: -5\r\n\r\nx", "Content-Length must be a number of bytes, but is '-5'"),
        (OK + b"Content-Length: 1e9\r\n\r\nx", "Content-Length must be"),
        (OK + b"Content-Length: \xb2\r\n\r\nx", "Content-Length must be"),
        (OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx", "Content-Length must be"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", "Content-Length must be .* '1, 2'"),
        (OK + b"Content-Length: 999999999999\r\n\r\nx", "must have at most 536870912 bytes, but this one has"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "cannot download from"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx", "cannot download from"),
        (b"HTTP/1.1 302 Found\r\n\r\n", "answers 302"),
        (b"HTTP/1.1 302 Found\r\nLocation: /SRCNN_train.zip\r\n\r\n", "answers 302 .*infinite loop"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[x\r\n\r\n", "cannot download from"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999/\r\n\r\n", "not a valid address"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n\r\n", "must begin with https"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "answers 302 .*not allowed"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://example.com/x\r\n\r\n", "must begin with https"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://u:geheim1@127.0.0.1/x\r\n\r\n", "must not contain a user or a pass"),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n", "answers 401 No"),
        (b"HTTP/1.1 500 a\x1b[31m\x07\r\n\r\n", "answers 500 a"),
        (b"HTTP/1.1 206 Partial\r\nContent-Length: 0\r\n\r\n", "the archive is empty"),
    ],
)
def test_an_answer_that_breaks_the_protocol_is_one_line(root: Path, answer: bytes, says: str) -> None:
    with hostile(saying(answer)) as url:
        refused(root, url, says)


def test_more_than_the_length_that_was_announced_is_not_taken(root: Path) -> None:
    good = zipped(GOOD)
    with hostile(saying(OK + b"Content-Length: %d\r\n\r\n" % len(good), good + b"more" * 100)) as url:
        fetch.fetch("T91", root, base_url=url)
    assert (root / ".downloads" / "SRCNN_train.zip").read_bytes() == good


def test_what_cannot_be_resumed_is_not_kept(root: Path) -> None:
    with hostile(saying(OK + b"Accept-Ranges: none\r\nContent-Length: 900\r\n\r\n" + b"x" * 500)) as url:
        refused(root, url, "incomplete after 500 of 900 bytes; run the command again$")


def test_a_server_on_another_machine_cannot_send_us_to_this_one() -> None:
    handler = download._Redirections()
    request = urllib.request.Request("https://example.com/a.zip")
    with pytest.raises(DataError, match="a server must not redirect a download to this machine"):
        handler.redirect_request(request, io.BytesIO(), 302, "", Message(), "https://localhost/a.zip")


@pytest.mark.parametrize(
    "url",
    ["", "http://127.0.0.1:0", "http://127.0.0.1:99999", "http://127.0.0.1:x", "http://127.0.0.1/a b", "https://\u00e9.com",
     "https://h/\n", "https://" + "a" * 3000, "http://user@127.0.0.1", "https://u:geheim2@h"],
)  # fmt: skip
def test_a_malformed_mirror_is_one_line(root: Path, url: str) -> None:
    with pytest.raises(DataError, match=r"^[^\n]*(address)[^\n]*$") as caught:
        fetch.fetch("T91", root, base_url=url)
    assert "geheim" not in str(caught.value)
    assert not root.exists()


def test_two_processes_do_not_write_one_part(server: Server, root: Path) -> None:
    server.files["SRCNN_train.zip"] = zipped(GOOD)
    part = root / ".downloads" / "SRCNN_train.zip.part"
    part.parent.mkdir(parents=True)
    with part.open("wb") as file:
        file.write(server.files["SRCNN_train.zip"][:100])
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process is downloading this archive"):
            fetch.fetch("T91", root, base_url=server.url)
    fetch.fetch("T91", root, base_url=server.url)


def test_a_part_that_is_no_file_is_refused(server: Server, root: Path) -> None:
    part = root / ".downloads" / "SRCNN_train.zip.part"
    part.parent.mkdir(parents=True)
    os.mkfifo(part)
    with pytest.raises(DataError, match=r"must be a file|cannot be written"):
        fetch.fetch("T91", root, base_url=server.url)
    part.unlink()
    part.symlink_to("/dev/null")
    with pytest.raises(DataError, match="cannot be written"):
        fetch.fetch("T91", root, base_url=server.url)
    assert part.is_symlink()
