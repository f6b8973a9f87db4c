"""The server answers browsers of this machine, only reads, and gives out no other file. In Chromium: test_in_browser.py."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from srcnn.errors import ConfigError
from srcnn.tuning.driver.live_state import FILE
from srcnn.tuning.driver.optuna_mirror import FILE as JOURNAL
from srcnn.tuning.watch.page import policy
from srcnn.tuning.watch.server import WatchServer, serve_in_background

from watch_states import put, state, trial

SECRET = "nobody may read this"


class Served:
    """A server of a search that has ended, with a report."""

    def __init__(self, folder: Path) -> None:
        self.reports = folder / "reports"
        self.folder = put(folder / "today", state(trial("a"), state="ended"))
        report = self.reports / "today"
        (report / "pictures").mkdir(parents=True)
        (report / "report.html").write_text("<p>the report", encoding="utf-8")
        (report / "pictures" / "a.png").write_bytes(b"png")
        (report / "notes.pkl").write_text(SECRET, encoding="utf-8")
        (self.reports / "secret.md").write_text(SECRET, encoding="utf-8")
        (report / "link.md").symlink_to(self.reports / "secret.md")
        self.server = WatchServer(self.folder, 0, self.reports)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def ask(
        self, path: str, method: str = "GET", host: str | None = "", body: str | None = None
    ) -> tuple[http.client.HTTPResponse, str]:
        """Send a request; the host is that of the server by default, and None leaves the header out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host or f"127.0.0.1:{self.server.port}")
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            return answer, answer.read().decode("utf-8", errors="replace")
        finally:
            connection.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    one.server.close()
    one.thread.join()


def test_the_page_and_the_state(served: Served) -> None:
    answer, text = served.ask("/")
    assert answer.status == 200 and "Search today" in text
    assert answer.headers["Content-Security-Policy"] == policy()
    assert served.ask("/?x=1")[1] == text
    part = served.ask("/live.html")[1]
    assert "<html" not in part and part.splitlines()[1].strip() in text
    answer, text = served.ask("/state.json")
    assert json.loads(text)["search"] == "today"
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-store")
    assert answer.headers["X-Updated"] == "just now"
    for name in ("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Resource-Policy"):
        assert answer.headers[name]
    assert "Python" not in answer.headers["Server"]


def test_the_tag_changes_with_the_state(served: Served) -> None:
    first = served.ask("/state.json", "HEAD")
    assert first[1] == ""
    assert served.ask("/state.json", "HEAD")[0].headers["ETag"] == first[0].headers["ETag"]
    put(served.folder, state(trial("a"), trial("b"), state="ended"))
    assert served.ask("/state.json", "HEAD")[0].headers["ETag"] != first[0].headers["ETag"]
    assert "x3 9-1-5 b" in served.ask("/")[1]
    assert "x3 9-1-5 b" in served.ask("/live.html")[1]


def test_not_a_number_is_no_json(served: Served) -> None:
    put(served.folder, state(trial("a", (0.5, float("nan")))))
    assert (served.folder / FILE).read_text().count("NaN")
    _, text = served.ask("/state.json")
    assert "NaN" not in text and json.loads(text)["trials"][0]["curve"] == [0.5, None]


def test_other_hosts_are_refused(served: Served) -> None:
    port = served.server.port
    assert served.ask("/", host=f"localhost:{port}")[0].status == 200
    for host in (None, "localhost", f"127.0.0.1:{port + 1}", f"attacker.example:{port}", f"127.0.0.1:{port}.example"):
        for path in ("/", "/state.json", "/live.html", "/report/"):
            answer, text = served.ask(path, host=host)
            assert answer.status == 421 and "today" not in text


def test_only_this_machine_can_connect(served: Served) -> None:
    assert served.server.address == f"http://127.0.0.1:{served.server.port}/"
    with socket.socket() as other:  # every address of this machine but the loopback is free
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.2", served.server.port))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_it_is_only_for_reading(served: Served, method: str) -> None:
    answer, _ = served.ask("/", method, body="x")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert served.ask("/", "BREW")[0].status == 501


def test_the_report_of_the_search(served: Served) -> None:
    answer, text = served.ask("/report/")
    assert (answer.status, text) == (200, "<p>the report")
    found = answer.headers["Content-Security-Policy"]
    assert "sandbox" in found and "allow-same-origin" not in found and "connect-src" not in found
    answer, text = served.ask("/report/pictures/a.png")
    assert (text, answer.headers["Content-Type"]) == ("png", "image/png")
    answer, _ = served.ask("/report")
    assert (answer.status, answer.headers["Location"]) == (301, "/report/")


@pytest.mark.parametrize(
    "path",
    [
        "/report/../secret.md",
        "/report/%2e%2e/secret.md",
        "/report/..%2fsecret.md",
        "/report/pictures/../../secret.md",
        "/report/link.md",
        "/report/notes.pkl",
        "/report/%00.md",
        "/report//etc/passwd",
        "/report/" + "a" * 5000 + ".md",
        "/report/pictures/",
        f"/{FILE}",
        "/../secret.md",
        "/favicon.ico",
        "//127.0.0.1/x",
    ],
)
def test_no_other_file_is_given_out(served: Served, path: str) -> None:
    answer, text = served.ask(path)
    assert answer.status == 404 and SECRET not in text


def test_the_address_of_a_file_outside_by_its_absolute_path(served: Served) -> None:
    answer, text = served.ask(f"/report/{served.reports}/secret.md")
    assert answer.status == 404 and SECRET not in text


def test_the_commands_to_look_closer(served: Served) -> None:
    put(served.folder, state(trial("a"), about={"ui": "mlflow ui --backend-store-uri sqlite:///x"}))
    (served.folder / JOURNAL).touch()
    text = served.ask("/")[1]
    assert "optuna-dashboard " in text and "mlflow ui --backend-store-uri" in text


def test_a_port_that_is_taken_or_none(served: Served) -> None:
    for port in (served.server.port, 70000, -1):
        with pytest.raises(ConfigError, match=f"port: .*{port}"):
            WatchServer(served.folder, port)


def test_in_the_background_before_there_is_a_search(tmp_path: Path) -> None:
    address = serve_in_background(tmp_path / "today")
    with urlopen(address, timeout=20) as answer:
        assert "written no live.json yet" in answer.read().decode()
    put(tmp_path / "today", state(trial("a")))
    with urlopen(address, timeout=20) as answer:
        assert "x3 9-1-5 a" in answer.read().decode()
    with urlopen(f"{address}state.json", timeout=20) as answer:
        assert json.load(answer)["search"] == "today"
