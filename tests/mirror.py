"""A small HTTP server with archives of tiny sets, and a registry that knows these sets."""

from __future__ import annotations

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image

from srcnn.data.datasets import verify
from srcnn.data.known_sets import SETS, KnownSet

__all__ = ["GOOD", "Server", "nothing_half_made", "picture", "root", "server", "small", "tarred", "zipped"]


def picture(index: int, kind: str = "BMP") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(index).integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in members.items():
            pack.writestr(name, data)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
            tar.addfile(info)
    return buffer.getvalue()


GOOD = {
    "Train/t1.bmp": picture(1),
    "Train/t2.bmp": picture(2),
    "Train/readme.txt": b"hello",
    "Other/t3.bmp": picture(3),
}


@dataclass
class Server:
    """What the server offers and how it behaves; ``ranges`` lists the Range header of each request."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None  #: send so many bytes of a body, then hang up
    resumes: bool = True
    redirect: str | None = None
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            body = state.files.get(self.path.lstrip("/"))
            if body is None and state.redirect:
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            if body is None:
                self.send_error(404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.resumes else 0
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start:][: state.cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SRCNN_MIRROR", raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """T91 and BSDS300/test become sets of two images."""
    registry = cast("dict[str, KnownSet]", SETS)
    folder = tmp_path / "reference" / "T91"
    folder.mkdir(parents=True)
    for index in (1, 2):
        (folder / f"t{index}.bmp").write_bytes(picture(index))
    monkeypatch.setitem(registry, "T91", KnownSet("T91", 2, "SRCNN_train.zip", ("Train",), digest="?"))
    digest = verify("T91", folder.parent)[0].rpartition(" ")[2]
    monkeypatch.setitem(registry, "T91", KnownSet("T91", 2, "SRCNN_train.zip", ("Train",), digest=digest))
    test = KnownSet("BSDS300/test", 2, "BSDS300-images.tgz", ("images", "test"), sizes=frozenset({(12, 9)}))
    monkeypatch.setitem(registry, "BSDS300/test", test)


@pytest.fixture
def root(small: None, tmp_path: Path) -> Path:
    return tmp_path / "root"


def nothing_half_made(root: Path) -> None:
    assert {p.name for p in root.iterdir()} <= {".downloads"}
