"""Addresses of MLflow stores: their form, their passwords, and whether a store answers; checked before MLflow opens it.

MLflow retries for minutes where a database is damaged or a server is silent, and raises errors of several libraries with many
lines. So the address, the file and the server are looked at first, each within seconds. While a search runs, nothing of this
applies: its journal waits for the store (`srcnn.tuning.tracking.sender`).
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from srcnn.errors import ConfigError, SearchError
from srcnn.system.passwords import credentials, masked, without_password

__all__ = ["SQLITE", "absolute_uri", "check_store", "connectable", "first_line"]

SQLITE = "sqlite:///"  #: how the address of a database file begins
_T = TypeVar("_T")
_RULE = "tracking-uri: must be sqlite:///FILE, http://HOST:PORT or https://HOST:PORT, or postgresql:// or mysql://"
_DATABASES = ("postgresql", "mysql", "mssql")
_PORTS = MappingProxyType({"postgresql": 5432, "mysql": 3306, "mssql": 1433})
#: Packages with the drivers whose modules have another name.
_PACKAGES = MappingProxyType({"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"})
_LONGEST = 2000  # characters of an address
_WAIT_LOCKED = 1.0  # seconds for a lock of the database, which a commit holds for milliseconds
_WAIT_SERVER = 10.0  # seconds for the first answer of a server
_MOST_CHECKED = 64 << 20  # bytes of a database that is checked as a whole: a second
_MOST_ANSWER = 1 << 16  # bytes of an answer that are read
_HEADER = b"SQLite format 3\0"
_QUESTION = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=srcnn"  # of MLflow's documented interface


def absolute_uri(uri: str) -> str:
    """Return the address of a store without its password, independent of the working directory: MLflow caches by address."""
    uri = without_password(uri)
    return f"{SQLITE}{_path(uri)}" if uri.startswith(SQLITE) else uri


def connectable(uri: str) -> str:
    """Return the address that a client of MLflow needs, and give it the password: never write or show this address.

    The password is that of the address which the user gave in this process, else ``MLFLOW_TRACKING_PASSWORD``. For servers it is
    in the environment, where MLflow reads it; only the address of a database contains it.
    """
    found = credentials(uri)
    if uri.startswith("http"):
        if found is not None:
            os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = found
        return uri
    if not uri.startswith(_DATABASES):
        return uri
    from sqlalchemy.engine import make_url

    password = found[1] if found is not None else os.environ.get("MLFLOW_TRACKING_PASSWORD")
    url = make_url(uri)
    if password is None or url.password is not None or url.username is None:
        return uri
    return url.set(password=password).render_as_string(hide_password=False)


def first_line(error: BaseException) -> str:
    """Return the first line of an error without passwords."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return masked(lines[0] if lines else type(error).__name__)[:400]


def check_store(uri: str, *, write: bool, locked: bool = False) -> None:
    """Check that a store can be used, within seconds and without writing anything.

    Args:
        uri: address of the store.
        write: whether it will be written; then a database file need not exist yet.
        locked: whether the caller holds the lock under which the tables of a database file are created.

    Raises:
        ConfigError: the address is malformed, or the driver of its database is not installed.
        SearchError: there is no store, it does not answer, or it is damaged, locked, read-only or that of another program.
    """
    uri = without_password(uri)
    _check_form(uri)
    scheme = uri.partition(":")[0].lower()
    if scheme == "sqlite":
        _check_file(uri, _path(uri), write=write, locked=locked)
    elif scheme in ("http", "https"):
        _check_server(uri)
    elif scheme.startswith(_DATABASES):
        _check_database(uri)


def _path(uri: str) -> Path:
    text = uri.removeprefix(SQLITE)
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # nobody has this name, a loop of links, a null character
        raise ConfigError(f"tracking-uri: {_shown(uri)} is not the address of a file ({first_line(error)})") from None


def _shown(uri: str) -> str:
    text = masked(uri).encode("unicode_escape").decode("ascii") if not uri.isprintable() else masked(uri)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _check_form(uri: str) -> None:
    shown = _shown(uri)
    scheme = uri.partition(":")[0].lower() if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) else ""
    if len(uri) > _LONGEST:
        raise ConfigError(f"tracking-uri: must have at most {_LONGEST} characters, but has {len(uri)}")
    if uri != uri.strip() or not uri.isprintable():
        raise ConfigError(f"tracking-uri: must not have spaces around it or control characters, but got {shown!r}")
    if scheme == "sqlite":
        name = uri.removeprefix(SQLITE)
        if not uri.startswith(SQLITE) or not name or name == ":memory:" or "?" in name:
            raise ConfigError(
                f"tracking-uri: the address of a database file must be sqlite:///FILE, such as sqlite:///mlruns/mlflow.db, but "
                f"got {shown!r}"
            )
    elif scheme in ("http", "https"):
        try:
            parts = urlsplit(uri)
            wrong = not parts.hostname or parts.port == 0 or bool(parts.query or parts.fragment) or " " in uri
            (parts.hostname or "").encode("idna")
        except ValueError:
            wrong = True
        if wrong:
            raise ConfigError(f"tracking-uri: must be {scheme}://HOST:PORT, but got {shown!r}")
    elif scheme.startswith(_DATABASES) and scheme.partition("+")[0] in _DATABASES:
        _check_driver(uri, shown)
    elif scheme.startswith("databricks"):
        return  # MLflow's own checks
    else:
        near = f"; did you mean sqlite:///{shown}?" if not scheme and uri else ""
        near = "; did you mean postgresql://?" if scheme.startswith("postgres") else near
        raise ConfigError(f"{_RULE}, but got {shown!r}{near}")


def _check_driver(uri: str, shown: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        url = make_url(uri)
        dialect = url.get_dialect()
    except (SQLAlchemyError, ValueError) as error:
        raise ConfigError(f"tracking-uri: {shown} is not the address of a database ({first_line(error)})") from None
    if not url.host and not url.query:
        raise ConfigError(f"tracking-uri: must be {url.drivername}://USER@HOST:PORT/NAME, but got {shown!r}")
    try:
        dialect.import_dbapi()
    except ImportError as error:
        module = (error.name or url.get_driver_name()).partition(".")[0]
        near = "; with 'srcnn[cluster]' installed, postgresql+psycopg:// works" if module == "psycopg2" else ""
        package = _PACKAGES.get(module, module)
        raise ConfigError(
            f"tracking-uri: {url.drivername} needs the Python package {package}, which is not installed: "
            f"pip install {package}{near}"
        ) from None


def _check_file(uri: str, file: Path, *, write: bool, locked: bool) -> None:
    start = f"tracking-uri: {uri}"
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not write:
            raise SearchError(f"tracking-uri: there is no store at {uri}") from None
        _check_place(start, file)
        return
    except OSError as error:
        raise SearchError(f"{start} cannot be read ({error.strerror})") from None
    if stat.S_ISDIR(status.st_mode):
        raise SearchError(f"{start} must be a database file, but is a folder; {uri}/mlflow.db would be a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise SearchError(f"{start} must be a database file, but is a device, pipe or socket")
    if not status.st_size:
        if not write:
            raise SearchError(f"{start} cannot be read: the file is empty")
        return
    if write and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        raise SearchError(f"{start} cannot be written: the file or its folder is read-only")
    try:
        _check_header(start, file, status.st_size)
        _check_content(start, file, status.st_size, write=write)
    except sqlite3.Error as error:
        if "locked" in str(error) and not locked and _being_made(file):
            return
        more = " by another program" if "locked" in str(error) else ""
        raise SearchError(f"{start} cannot be {'opened' if write else 'read'}: {first_line(error)}{more}") from None
    except OSError as error:
        raise SearchError(f"{start} cannot be read ({error.strerror})") from None


def _check_place(start: str, file: Path) -> None:
    """Check that a new file can be made."""
    above = next((folder for folder in file.parents if os.path.lexists(folder)), file.parent)
    if not above.is_dir():
        raise SearchError(f"{start} cannot be made: {above} is not a folder")
    if not os.access(above, os.W_OK):
        raise SearchError(f"{start} cannot be made: {above} is read-only")


def _check_header(start: str, file: Path, size: int) -> None:
    with file.open("rb") as opened:
        head = opened.read(100)
    if not head.startswith(_HEADER):
        raise SearchError(f"{start} cannot be read: the file is not a SQLite database")
    page = int.from_bytes(head[16:18], "big")
    whole = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    # The number of pages holds only if the program that wrote last knew of it. A journal says that a write goes on.
    if head[24:28] == head[92:96] and size < whole and not file.with_name(f"{file.name}-journal").exists():
        raise SearchError(f"{start} cannot be read: the file is truncated, it has {size} of {whole} bytes")


def _check_content(start: str, file: Path, size: int, *, write: bool) -> None:
    mode = "rw" if os.access(file, os.W_OK) else "ro"
    address = f"file:{quote(str(file))}?mode={mode}"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_LOCKED, isolation_level=None)) as connection:
        tables = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not {"experiments", "runs"} <= tables:
            some = ", ".join(sorted(tables)[:3])
            raise SearchError(f"{start} must be a database of MLflow, but has other tables: {masked(some)[:100]}")
        if size <= _MOST_CHECKED:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if found != "ok":
                raise SearchError(f"{start} cannot be read: the database is damaged ({' '.join(found.split())[:100]})")
        if write:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")


def _being_made(file: Path) -> bool:
    """Return whether another search is creating the tables of a database, which locks it for seconds."""
    lock = file.with_name(f"{file.name}.lock")
    if not lock.is_file():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def _within(seconds: float, function: Callable[[], _T]) -> _T:
    """Return the result of a function, or raise its error, or TimeoutError after a time, after which its thread is left alone."""
    results: list[_T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # raised again below
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="store check")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return results[0]


def _check_server(uri: str) -> None:
    import requests

    connectable(uri)  # gives MLflow the password
    start, user = f"tracking-uri: {uri}", os.environ.get("MLFLOW_TRACKING_USERNAME")
    auth = None if user is None else (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", ""))

    def ask() -> tuple[int, bytes]:
        address = uri.rstrip("/") + _QUESTION
        limits = (_WAIT_SERVER / 2, _WAIT_SERVER)
        with requests.get(address, timeout=limits, stream=True, allow_redirects=True, auth=auth) as answer:
            return answer.status_code, answer.raw.read(_MOST_ANSWER, decode_content=True)

    try:
        status, body = _within(_WAIT_SERVER, ask)
    except requests.exceptions.SSLError:
        return  # MLflow has settings for certificates
    except (OSError, ValueError) as error:  # requests' errors and TimeoutError are OSErrors
        raise SearchError(f"{start} does not answer ({_why(error)})") from None
    except Exception as error:  # what a hostile server makes of http.client and urllib3
        if "timed out" in str(error):  # urllib3's limit while the answer is read may come just before that of `_within`
            raise SearchError(f"{start} does not answer ({_why(error)})") from None
        raise SearchError(f"{start} does not answer as a server of MLflow ({type(error).__name__})") from None
    if status in (401, 403):
        if user is None and _has_other_credentials():
            return  # MLflow reads them
        raise SearchError(
            f"{start} refuses this user ({status}); set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
    if status >= 500 or status == 429:
        raise SearchError(f"{start} answers with the error {status}; try again later")
    try:
        known = {"experiment", "error_code"} & set(json.loads(body))
    except (ValueError, RecursionError, TypeError):
        known = set()
    if not known:
        raise SearchError(f"{start} is not a server of MLflow; it answers {status} to a question of MLflow's interface")


def _has_other_credentials() -> bool:
    """Return whether MLflow finds credentials in a place of its own: other variables, or the file of the user."""
    if any(
        name in os.environ for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4")
    ):
        return True
    with suppress(RuntimeError):  # without a home folder
        return (Path.home() / ".mlflow" / "credentials").is_file()
    return False


def _why(error: BaseException) -> str:
    """Return the innermost reason of an error of requests in a few words."""
    text = str(error)
    for sign in (
        "Connection refused",
        "Name or service not known",
        "No route to host",
        "timed out",
        "Connection reset",
    ):
        if sign in text:
            return sign.lower() if sign != "timed out" else f"no answer within {_WAIT_SERVER:.0f} s"
    return first_line(error)[:150]


def _check_database(uri: str) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    url, start = make_url(uri), f"tracking-uri: {uri}"
    began = time.monotonic()
    if url.host and not url.host.startswith("/"):
        try:
            port = url.port or _PORTS[url.get_backend_name()]
            _within(_WAIT_SERVER, lambda: socket.create_connection((str(url.host), port), _WAIT_SERVER).close())
        except (OSError, OverflowError, ValueError) as error:
            raise SearchError(f"{start} does not answer ({_why(error)})") from None

    def connect() -> None:
        create_engine(connectable(uri), poolclass=NullPool).connect().close()

    try:
        _within(max(1.0, _WAIT_SERVER - (time.monotonic() - began)), connect)
    except (SQLAlchemyError, OSError, ValueError, TypeError) as error:
        text = re.sub(r"^\([\w.]+\)\s*", "", first_line(error))
        raise SearchError(f"{start} cannot be opened: {text}") from None
