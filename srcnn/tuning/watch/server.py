"""Web server of the watch page, on the loopback address of this machine only, and for reading only.

======================  ==============================================================================================
``/``                   the page
``/live.html``          the part of the page that changes
``/state.json``         the state as JSON; the header ``ETag`` changes with it, ``X-Updated`` says how long ago the update was
``/report/``            the report of the search, or the newest of the reports that are made while it runs
======================  ==============================================================================================

A page of another site, opened in a browser on this machine, can send requests to the loopback address. It cannot read the
answers, unless its name in the DNS is changed to this address; so requests that name another host than this server are refused.
"""

from __future__ import annotations

import threading
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from srcnn.errors import ConfigError
from srcnn.tuning.driver.optuna_mirror import FILE as DASHBOARD_FILE
from srcnn.tuning.driver.optuna_mirror import dashboard_command
from srcnn.tuning.watch.page import Commands, policy, render, render_live
from srcnn.tuning.watch.report_so_far import PAGE, REPORTS, ReportSoFar
from srcnn.tuning.watch.state import WatchedSearch
from srcnn.tuning.watch.words import ago

__all__ = ["WatchServer", "serve", "serve_in_background"]

_LOOPBACK = "127.0.0.1"
_IDLE = 30  # seconds after which a connection without a request is closed
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}
#: Of the report, whose style and scripts stand in its page. It gets an origin of its own, as in MLflow: its scripts cannot read
#: the other addresses of this server.
_REPORT_POLICY = (
    "sandbox allow-scripts allow-popups allow-downloads; default-src 'none'; img-src 'self' data: blob:; font-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PLAIN_POLICY = "default-src 'none'; frame-ancestors 'none'"
_Answer = tuple[HTTPStatus, str, bytes, dict[str, str]]  # status, type, body, further headers


class WatchServer:
    """Server of a search's watch page; its port is open when it has been made.

    Args:
        folder: folder of the search.
        port: port; 0: any free one.
        reports: folder with a folder for each finished report.

    Raises:
        ConfigError: the port cannot be used.
    """

    def __init__(self, folder: Path, port: int = 0, reports: Path = REPORTS) -> None:
        self._folder, self._report = folder, ReportSoFar(folder, reports)
        if not 0 <= port <= 65535:
            raise ConfigError(f"port: must be between 0 and 65535, but got {port}")
        try:
            self._http = ThreadingHTTPServer((_LOOPBACK, port), partial(_Handler, self))
        except OSError as error:
            raise ConfigError(f"port: {port} cannot be used on {_LOOPBACK} ({error.strerror})") from None
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, bytes]] = {}  # last answers, by address: stamp and body

    @property
    def address(self) -> str:
        """Address of the page."""
        return f"http://{_LOOPBACK}:{self.port}/"

    def run(self) -> None:
        """Answer requests until `close` is called from another thread, or this one is interrupted; then the port is closed."""
        try:
            self._http.serve_forever(0.2)
        finally:
            self._http.server_close()

    def close(self) -> None:
        """End `run`."""
        self._http.shutdown()

    def is_host(self, host: str | None) -> bool:
        """Return whether a header ``Host`` means this server."""
        return host in (f"{_LOOPBACK}:{self.port}", f"localhost:{self.port}")

    def answer(self, path: str) -> _Answer:
        """Return the answer to a request.

        Args:
            path: path and query of the address, as the browser sent them.
        """
        place = unquote(urlsplit(path).path)
        if place == "/report":
            return HTTPStatus.MOVED_PERMANENTLY, _TYPES[".md"], b"", {"Location": "/report/"}
        if place.startswith("/report/"):
            return self._report_file(place.removeprefix("/report/"))
        if place not in ("/", "/live.html", "/state.json"):
            return _plain(HTTPStatus.NOT_FOUND, "there is no such page here")
        found = WatchedSearch.read(self._folder)
        headers = {"ETag": f'"{found.stamp}"', "X-Updated": ago(found.health.age) if found.live is not None else ""}
        if place == "/state.json":
            return HTTPStatus.OK, _TYPES[".json"], self._body(place, found), headers
        # The age stands in the page too, so that only the other parts can be kept for the next request.
        headers["Content-Security-Policy"] = policy()
        return HTTPStatus.OK, _TYPES[".html"], self._body(place, found), headers

    def _body(self, place: str, found: WatchedSearch) -> bytes:
        stamp = found.stamp if place == "/state.json" else f"{found.stamp} {round(found.health.age)}"
        with self._lock:  # several open pages ask for the same
            kept = self._kept.get(place)
            if kept is None or kept[0] != stamp:
                kept = self._kept[place] = (stamp, self._make(place, found).encode())
            return kept[1]

    def _make(self, place: str, found: WatchedSearch) -> str:
        if place == "/state.json":
            return "null" if found.live is None else found.live.model_dump_json()
        ui = "" if found.live is None else str(found.live.about.get("ui", ""))
        dashboard = dashboard_command(self._folder) if (self._folder / DASHBOARD_FILE).is_file() else ""
        commands = Commands(dashboard, ui)
        return render(found, commands) if place == "/" else render_live(found, commands)

    def _report_file(self, name: str) -> _Answer:
        """Return a file of the report; never one outside its folder, not even by a link in it."""
        found = WatchedSearch.read(self._folder)
        folder = self._report.newest(found)
        if folder is None:
            if name:
                return _plain(HTTPStatus.NOT_FOUND, "there is no report yet")
            again = '<meta http-equiv="refresh" content="3">' if self._report.coming else ""
            words = escape(self._report.words)
            page = (
                f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{again}<link rel="icon" href="data:,">'
                f'<title>report</title></head><body><p>{words}</p><p><a href="/">Back to the search</a></p></body></html>'
            )
            policy_ = {"Content-Security-Policy": f"{_PLAIN_POLICY}; img-src data:"}
            return HTTPStatus.OK, _TYPES[".html"], page.encode(), policy_
        try:
            file = (folder / (name or PAGE)).resolve()
            kind = _TYPES.get(file.suffix)
            if kind is None or not file.is_relative_to(folder.resolve()) or not file.is_file():
                return _plain(HTTPStatus.NOT_FOUND, "the report has no such file")
            return HTTPStatus.OK, kind, file.read_bytes(), {"Content-Security-Policy": _REPORT_POLICY}
        except (OSError, ValueError):  # ValueError: a name with a null character
            return _plain(HTTPStatus.NOT_FOUND, "the report has no such file")


def _plain(status: HTTPStatus, text: str) -> _Answer:
    return status, _TYPES[".md"], f"{text}\n".encode(), {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "srcnn", ""
    timeout = _IDLE

    def __init__(self, watch: WatchServer, *arguments: object) -> None:
        self._watch = watch
        super().__init__(*arguments)  # type: ignore[arg-type]  # answers the requests of a whole connection

    def do_GET(self) -> None:
        """Answer a request to read."""
        if not self._watch.is_host(self.headers.get("Host")):
            self._send(_plain(HTTPStatus.MISDIRECTED_REQUEST, f"this server is {self._watch.address} and no other"))
            return
        self._send(self._watch.answer(self.path))

    do_HEAD = do_GET  # noqa: N815

    def _refuse(self) -> None:
        self.close_connection = True  # what the request has sent is not read
        status, kind, body, _ = _plain(HTTPStatus.METHOD_NOT_ALLOWED, "this server is only for reading")
        self._send((status, kind, body, {"Allow": "GET, HEAD", "Connection": "close"}))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _send(self, answer: _Answer) -> None:
        status, kind, body, headers = answer
        self.send_response(status)
        fixed = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": _PLAIN_POLICY,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        for name, value in {**fixed, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: standard error belongs to the search's display."""


def serve(folder: Path, port: int = 0, *, reports: Path = REPORTS) -> None:
    """Serve the watch page of a search until the process is interrupted.

    Args:
        folder: folder of the search.
        port: port; 0: any free one.
        reports: folder with a folder for each finished report.

    Raises:
        ConfigError: the port cannot be used.
    """
    WatchServer(folder, port, reports).run()


def serve_in_background(folder: Path, port: int = 0, *, reports: Path = REPORTS) -> str:
    """Serve the watch page of a search in a thread, until the process ends.

    Args:
        folder: folder of the search, which may not exist yet.
        port: port; 0: any free one.
        reports: folder with a folder for each finished report.

    Returns:
        The address of the page.

    Raises:
        ConfigError: the port cannot be used.
    """
    server = WatchServer(folder, port, reports)
    threading.Thread(target=server.run, daemon=True, name="watch page").start()
    return server.address
