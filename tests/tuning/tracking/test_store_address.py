"""Addresses of stores, and stores that are damaged, locked, read-only, of another program, or do not answer."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy.engine import make_url

from srcnn.commands.search_flags import given_settings, search_parser
from srcnn.commands.search_start import resume_command
from srcnn.errors import ConfigError, SearchError, SRCNNError
from srcnn.tuning.driver.live_state import LiveFile, LiveState
from srcnn.tuning.planning.settings import load_settings, save_settings
from srcnn.tuning.tracking import store_address
from srcnn.tuning.tracking.reader import open_store
from srcnn.tuning.tracking.store_address import absolute_uri, check_store, connectable, first_line
from srcnn.tuning.tracking.tracker import open_tracker, ui_command

from lying_store import lying_store


def refused(uri: str, *, write: bool = True) -> str:
    with pytest.raises(SRCNNError) as caught:
        check_store(uri, write=write)
    text = str(caught.value)
    assert text.startswith("tracking-uri: ")
    assert "\n" not in text
    assert len(text) < 700
    return text


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "must be sqlite:///FILE"),
        ("mlruns/mlflow.db", r"must be sqlite:///FILE.*did you mean sqlite:///mlruns/mlflow.db\?"),
        ("file:///tmp/mlruns", "must be sqlite:///FILE"),
        ("sqlite:mlflow.db", "must be sqlite:///FILE"),
        ("sqlite://mlflow.db", "must be sqlite:///FILE"),
        ("sqlite:///", "must be sqlite:///FILE"),
        ("sqlite:///:memory:", "must be sqlite:///FILE"),
        ("sqlite:///a.db?mode=ro", "must be sqlite:///FILE"),
        ("sqlite:///~nobody-of-this-name/a.db", "is not the address of a file"),
        ("sqlite:///a\0b", "control characters"),
        ("sqlite:///a\nb", "control characters"),
        (" sqlite:///a.db", "spaces around"),
        ("sqlite:///" + "a" * 3000, "at most 2000 characters, but has 3010"),
        ("sqlite:///" + "a" * 300, "cannot be read .*too long"),
        ("http://", "must be http://HOST:PORT"),
        ("http://:5000", "must be http://HOST:PORT"),
        ("http://[::1", "must be http://HOST:PORT"),
        ("http://host:port", "must be http://HOST:PORT"),
        ("http://host:99999", "must be http://HOST:PORT"),
        ("http://host:0", "must be http://HOST:PORT"),
        ("https://host:5000/?a=b", "must be https://HOST:PORT"),
        ("http://ho st:5000", "must be http://HOST:PORT"),
        ("http://" + "a" * 70 + ".b", "must be http://HOST:PORT"),
        ("htp://host:5000", "must be sqlite:///FILE"),
        ("ftp://host", "must be sqlite:///FILE"),
        ("postgres://u@h/db", r"did you mean postgresql://\?"),
        ("postgresql+psycopg2://u@h/db", r"needs the Python package psycopg2-binary.*postgresql\+psycopg:// works"),
        ("mysql://u@h/db", "needs the Python package mysqlclient, which is not installed: pip install mysqlclient"),
        ("mysql+pymysql://u@h/db", "needs the Python package pymysql"),
        ("mssql://u@h/db", "needs the Python package pyodbc"),
        ("mysql+nosuch://u@h/db", "is not the address of a database"),
        ("postgresql+psycopg://u@h:port/db", "is not the address of a database"),
        ("postgresql+psycopg://", r"must be postgresql\+psycopg://USER@HOST:PORT/NAME"),
        ("postgresql+psycopg:", "is not the address of a database"),
    ],
)
def test_a_malformed_address_is_one_line(uri: str, says: str) -> None:
    assert re.search(says, refused(uri))


def test_no_message_contains_a_password() -> None:
    for uri in (
        "postgresql+psycopg://u:hunter2hunter@127.0.0.1:1/db",
        "mysql://u:hunter2hunter@h/db",
        "http://u:hunter2hunter@127.0.0.1:1",
        "http://u:hunter2hunter@h:99999",
        "htp://u:hunter2hunter@h",
        "mysql+nosuch://u:hunter2hunter@h/db",
    ):
        assert "hunter2" not in refused(uri)


@pytest.mark.parametrize("write", [False, True])
def test_files_that_are_no_database(tmp_path: Path, write: bool) -> None:
    place = tmp_path / "store"
    place.mkdir()
    assert "is a folder" in refused(f"sqlite:///{place}", write=write)
    os.mkfifo(tmp_path / "pipe")
    assert "is a device, pipe or socket" in refused(f"sqlite:///{tmp_path / 'pipe'}", write=write)
    (tmp_path / "text").write_text("no database at all" * 99, encoding="utf-8")
    assert "is not a SQLite database" in refused(f"sqlite:///{tmp_path / 'text'}", write=write)
    (tmp_path / "text.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    refused(f"sqlite:///{tmp_path / 'text.db'}", write=write)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(f"sqlite:///{tmp_path / 'loop'}", write=write)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loop", "pipe", "store", "text", "text.db"]


def test_a_new_file_needs_a_folder(tmp_path: Path) -> None:
    check_store(f"sqlite:///{tmp_path}/new/folder/mlflow.db", write=True)
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    assert "is not a folder" in refused(f"sqlite:///{tmp_path}/file/mlflow.db")
    assert "there is no store at" in refused(f"sqlite:///{tmp_path}/new.db", write=False)
    check_store(f"sqlite:///{tmp_path}/file", write=True)  # an empty file is an empty database
    assert "empty" in refused(f"sqlite:///{tmp_path}/file", write=False)
    assert "cannot be made: /proc" in refused("sqlite:////proc/1/no/mlflow.db")


@pytest.fixture
def store(tmp_path: Path, empty: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path / "mlflow.db"))


def test_a_whole_store_is_accepted(store: Path) -> None:
    for write in (False, True):
        check_store(f"sqlite:///{store}", write=write)
    assert [file.name for file in store.parent.iterdir()] == [store.name]


@pytest.mark.parametrize("write", [False, True])
def test_a_truncated_or_damaged_store_is_one_line(store: Path, write: bool) -> None:
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    assert f"is truncated, it has {len(whole) // 2} of {len(whole)} bytes" in refused(f"sqlite:///{store}", write=write)
    for size in (16, 99, 100, 4096):
        store.write_bytes(whole[:size])
        refused(f"sqlite:///{store}", write=write)
    store.write_bytes(whole[:5000] + bytes(4000) + whole[9000:])
    refused(f"sqlite:///{store}", write=write)
    store.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    refused(f"sqlite:///{store}", write=write)


def test_a_database_of_another_program_is_one_line(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE studies (id INTEGER)")
    for write in (False, True):
        text = refused(f"sqlite:///{tmp_path}/other.db", write=write)
        assert "must be a database of MLflow, but has other tables: studies" in text


def test_a_store_of_an_older_schema_is_one_line(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        connection.commit()
    with pytest.raises(
        SearchError, match=r"^tracking-uri: .*out-of-date database schema[^\n]*mlflow db upgrade[^\n]*$"
    ):
        open_store(f"sqlite:///{store}")
    with pytest.raises(
        SearchError, match=r"^tracking-uri: .*out-of-date database schema[^\n]*mlflow db upgrade[^\n]*$"
    ):
        open_tracker(f"sqlite:///{store}").open_search("a", {}, {})


def test_a_locked_store_is_one_line(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_address, "_WAIT_LOCKED", 0.05)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        for write in (False, True):
            assert "database is locked by another program" in refused(f"sqlite:///{store}", write=write)
        with pytest.raises(SearchError, match=r"database is locked by another program$"):
            open_tracker(f"sqlite:///{store}").open_search("a", {}, {})
        with FileLock(f"{store}.lock"):  # another search is making the tables, which takes seconds
            check_store(f"sqlite:///{store}", write=True)


def test_a_read_only_store_can_be_read_only(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root may write everything
    assert "cannot be written: the file or its folder is read-only" in refused(f"sqlite:///{store}")
    check_store(f"sqlite:///{store}", write=False)
    assert "is read-only" in refused(f"sqlite:///{store.parent}/new.db")


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, b"<html>hello</html>", "is not a server of MLflow; it answers 200"),
        (404, b"", "is not a server of MLflow; it answers 404"),
        (200, b"[" * 60_000, "is not a server of MLflow"),
        (200, b"7", "is not a server of MLflow"),
        (401, b"", r"refuses this user \(401\); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
        (503, b"", "answers with the error 503"),
        (302, b"", "is not a server of MLflow"),
    ],
)
def test_a_server_of_something_else_is_one_line(status: int, body: bytes, says: str) -> None:
    with answering(status, body) as uri:
        assert re.search(says, refused(uri))


def test_a_server_of_mlflow_is_accepted() -> None:
    for body in (b'{"experiment": {}}', b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": ""}'):
        with answering(200 if b"experiment" in body else 404, body) as uri:
            check_store(uri, write=True)


@pytest.mark.parametrize(
    ("lie", "stays_open", "says"),
    [
        ("too large", False, r"does not answer as a server of MLflow \(ProtocolError\)"),
        ("too large", True, "does not answer .no answer within"),
        ("too small", False, "is not a server of MLflow; it answers 200"),
        ("zero", False, "is not a server of MLflow; it answers 200"),
        ("negative", True, "does not answer .no answer within"),
    ],
)
def test_a_server_that_states_a_wrong_length_is_one_line(
    monkeypatch: pytest.MonkeyPatch, lie: str, stays_open: bool, says: str
) -> None:
    monkeypatch.setattr(store_address, "_WAIT_SERVER", 0.5)
    with lying_store("file:///nowhere") as store:
        store.lies, store.open = {"experiments/get-by-name": lie}, stays_open
        assert re.search(says, refused(store.uri))


def test_a_socket_whose_time_is_up_first_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_address, "_WAIT_SERVER", 0.5)
    monkeypatch.setattr(store_address, "_within", lambda seconds, function: function())
    with lying_store("file:///nowhere") as store:
        store.lies, store.open = {"experiments/get-by-name": "too large"}, True
        assert "does not answer (no answer within" in refused(store.uri)


def test_a_closed_port_is_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for uri in (f"http://127.0.0.1:{port}", f"postgresql+psycopg://u@127.0.0.1:{port}/db"):
        assert "does not answer (connection refused)" in refused(uri).lower()


def test_a_server_that_accepts_and_says_nothing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_address, "_WAIT_SERVER", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert "does not answer (no answer within" in refused(f"http://127.0.0.1:{port}")
        assert "no answer within" in refused(f"postgresql+psycopg://u@127.0.0.1:{port}/db")


def test_a_server_that_sends_a_byte_at_a_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_address, "_WAIT_SERVER", 0.4)
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        with suppress(OSError), server.accept()[0] as connection:
            while not over.wait(0.05):
                connection.send(b"H")

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        assert "no answer within" in refused(f"http://127.0.0.1:{server.getsockname()[1]}")
        over.set()
        thread.join()


def test_the_password_is_given_to_the_client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    uri = absolute_uri("postgresql+psycopg://ann:p%40ss1@h/db")
    assert uri == "postgresql+psycopg://ann@h/db"
    assert make_url(connectable(uri)).password == "p@ss1"
    assert connectable("postgresql+psycopg://bob@h/db") == "postgresql+psycopg://bob@h/db"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "fromenv")
    assert make_url(connectable("postgresql+psycopg://bob@h/db")).password == "fromenv"
    assert connectable(absolute_uri("http://ann:p%40ss2@h:1")) == "http://h:1"
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("ann", "p@ss2")


def test_a_password_is_in_nothing_that_is_kept_or_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of a search that write or show its address."""
    secret = "Geheimwort77"
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "x")  # put back at the end
    monkeypatch.chdir(tmp_path)
    with answering(500, f"http://ann:{secret}@h broke".encode()) as uri:
        given = uri.replace("http://", f"http://ann:{secret}@")
        options = search_parser("").parse_args(["--name", "a", "--tracking-uri", given, "--storage", str(tmp_path)])
        settings, _ = given_settings(options)
        save_settings(settings)
        said = [repr(options), repr(settings), resume_command(settings), ui_command(settings.tracking_uri)]
        LiveFile(settings.folder, LiveState("a", 1), {"ui": said[-1], "uri": settings.tracking_uri}).write("running")
        tracker = open_tracker(given, settings.folder)
        for refuse in (lambda: tracker.open_search("a", {}, dict(settings)), lambda: open_store(given)):
            with pytest.raises(SearchError) as caught:
                refuse()
            said.append(str(caught.value))
        assert settings.tracking_uri == tracker.uri == uri
        assert load_settings("a", str(tmp_path), {"tracking_uri": options.tracking_uri}).tracking_uri == uri
    written = [file.read_text(encoding="utf-8") for file in tmp_path.rglob("*") if file.is_file()]
    assert len(written) >= 2
    assert not [text for text in (*said, *written) if secret in text]
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == secret


def test_a_relative_file_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_uri("sqlite:///a.db") == f"sqlite:///{tmp_path.resolve()}/a.db"
    assert absolute_uri("http://h:1") == "http://h:1"
    with pytest.raises(ConfigError):
        absolute_uri("sqlite:///~nobody-of-this-name/a.db")


def test_the_first_line_of_an_error_is_short_and_without_passwords() -> None:
    assert first_line(ValueError("")) == "ValueError"
    assert first_line(ValueError("\n at http://u:abcdef@h \n second")) == "at http://u:***@h"
    assert len(first_line(ValueError("a" * 10_000))) == 400
