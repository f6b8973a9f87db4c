"""A server on this machine that answers a few questions as one of MLflow does, and states wrong lengths of its answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

__all__ = ["LyingStore", "lying_store"]


class LyingStore:
    """Answers by the last words of the path; those of ``lies`` have a wrong length."""

    def __init__(self, place: str) -> None:
        info = {"run_id": "ab", "run_uuid": "ab", "experiment_id": "1", "status": "RUNNING", "start_time": 7}
        info |= {"lifecycle_stage": "active", "artifact_uri": place}
        run = {"run": {"info": info, "data": {}}}
        self.answers: Mapping[str, Any] = {
            "experiments/get-by-name": {
                "experiment": {"experiment_id": "1", "name": "srcnn", "artifact_location": place}
            },
            "runs/create": run,
            "runs/get": run,
        }
        self.uri = ""
        self.lies: dict[str, str] = {}  #: by the last words of the path, a lie of `length`
        self.open = False  #: whether a connection stays open after an answer, so that its end is not seen

    def length(self, asked: str, length: int) -> str:
        """Return the length that an answer states."""
        wrong = {
            "too large": str(length + 100),
            "too small": str(length // 2),
            "negative": "-5",
            "no number": "abc",
            "zero": "0",
        }
        return wrong[self.lies[asked]] if asked in self.lies else str(length)


@contextmanager
def lying_store(place: str) -> Iterator[LyingStore]:
    """Serve a store whose runs have their artifacts at ``place``."""
    store, over = LyingStore(place), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = "/".join(urlsplit(self.path).path.rsplit("/", 2)[-2:])
            body = json.dumps(store.answers.get(asked, {})).encode()
            self.send_response(200)
            self.send_header("Content-Length", store.length(asked, len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            if store.open and asked in store.lies:
                over.wait()

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        store.uri = f"http://127.0.0.1:{http.server_port}"
        yield store
        over.set()
        http.shutdown()
        thread.join()
