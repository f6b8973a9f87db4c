"""Wrong inputs: stores, their addresses and passwords, searches that another process runs, mirrors, and ports."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from wrong_inputs import Case

__all__ = ["CASES"]

SEARCH = ("search", "--dry-run", "--trials", "2")
ABLATION = ("ablation", "--table", "filter_size", "--budget", "smoke")
#: Commands that open a store; the address is put behind each.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("report", "--tracking-uri"),
    ("runs", "list", "--tracking-uri"),
    ("runs", "verify", "--tracking-uri"),
    ("runs", "repair", "--tracking-uri"),
    ("runs", "--why", "abc", "--tracking-uri"),
    (*SEARCH, "--tracking-uri"),
    ("search", "--trials", "2", "--tracking-uri"),
    (*ABLATION, "--tracking-uri"),
    ("evaluate", "--model", "registry", "--data", "sample/test", "--scale", "3", "--tracking-uri"),
    ("export", "--model", "registry", "--scale", "3", "--out", "{dir}/a.onnx", "--tracking-uri"),
    ("champion", "one", "--scale", "3", "--out", "{dir}/out", "--tracking-uri"),
)
#: Addresses that are malformed or lead nowhere, and what is said of each.
ADDRESSES = {
    "empty": ("", "tracking-uri: must be sqlite:///FILE|tracking-uri: must not be empty"),
    "a path": ("mlflow.db", "did you mean sqlite:///mlflow.db"),
    "a file store": ("file://{dir}/mlruns", "must be sqlite:///FILE"),
    "two slashes": ("sqlite://mlflow.db", "must be sqlite:///FILE"),
    "no file": ("sqlite:///", "must be sqlite:///FILE"),
    "memory": ("sqlite:///:memory:", "must be sqlite:///FILE"),
    "a query": ("sqlite:///{dir}/a.db?mode=ro", "must be sqlite:///FILE"),
    "nobodys home": ("sqlite:///~nobody-of-this-name/a.db", "is not the address of a file"),
    "too long": ("sqlite:///" + "a" * 3000, "at most 2000 characters"),
    "a name too long": ("sqlite:///{dir}/" + "a" * 300, "too long|no store at"),
    "a line break": ("sqlite:///a\nb.db", "control characters"),
    "a space before": (" sqlite:///a.db", "spaces around"),
    "no host": ("http://", "must be http://HOST:PORT"),
    "an open bracket": ("http://[::1", "must be http://HOST:PORT"),
    "a word for a port": ("http://127.0.0.1:port", "must be http://HOST:PORT"),
    "a high port": ("http://127.0.0.1:99999", "must be http://HOST:PORT"),
    "a misspelt scheme": ("htp://127.0.0.1:5000", "must be sqlite:///FILE"),
    "ftp": ("ftp://127.0.0.1/", "must be sqlite:///FILE"),
    "postgres": ("postgres://u@127.0.0.1/db", "did you mean postgresql://"),
    "a driver that is missing": ("postgresql+psycopg2://u@127.0.0.1/db", "needs the Python package psycopg2-binary"),
    "mysql": ("mysql://u@127.0.0.1/db", "needs the Python package mysqlclient"),
    "pymysql": ("mysql+pymysql://u@127.0.0.1/db", "needs the Python package pymysql"),
    "a driver that nobody has": ("mysql+nosuch://u@127.0.0.1/db", "is not the address of a database"),
    "a database without a host": ("postgresql+psycopg://", "USER@HOST:PORT/NAME"),
    "a closed port": ("http://127.0.0.1:1", "does not answer .connection refused"),
    "a closed port of a database": ("postgresql+psycopg://u@127.0.0.1:1/db", "does not answer .connection refused"),
    "a password and a closed port": ("http://ann:s3cr3tw0rd@127.0.0.1:1", "tracking-uri: http://127.0.0.1:1 does not"),
    "a password and no driver": ("mysql://ann:s3cr3tw0rd@127.0.0.1/db", "tracking-uri|mysqlclient"),
    "a password and a high port": ("http://ann:s3cr3tw0rd@127.0.0.1:99999", "but got 'http://127.0.0.1:99999'"),
    "a password and a misspelt scheme": ("htp://ann:s3cr3tw0rd@127.0.0.1", "but got 'htp://ann@127.0.0.1'"),
    "a folder that is none": ("sqlite:////proc/1/none/a.db", "no store at|cannot be made|cannot be read"),
}


@cache
def whole_store() -> bytes:
    """A database with MLflow's tables, as text that can be damaged."""
    from mlflow.tracking import MlflowClient

    file = Path(mkdtemp()) / "mlflow.db"
    MlflowClient(f"sqlite:///{file}")
    return file.read_bytes()


def database(folder: Path, *statements: str) -> Path:
    file = folder / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return file


def older(folder: Path) -> None:
    (folder / "mlflow.db").write_bytes(whole_store())
    database(folder, "UPDATE alembic_version SET version_num = '451aebb31d03'")


def cut(folder: Path) -> None:
    (folder / "mlflow.db").write_bytes(whole_store()[: len(whole_store()) // 2])


def overwritten(folder: Path) -> None:
    whole = whole_store()
    (folder / "mlflow.db").write_bytes(whole[:6000] + bytes(9000) + whole[15000:])


_held: list[object] = []  # what must stay open until the end of the tests


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print(flush=True)
sys.stdin.read()
"""


def locked(folder: Path) -> None:
    """Lock a database in a process of its own: whoever reads the file in this one would release the lock."""
    (folder / "mlflow.db").write_bytes(whole_store())
    words = [sys.executable, "-S", "-c", LOCK, str(folder / "mlflow.db")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    atexit.register(process.communicate)  # it ends when its stdin is closed


#: Files that are no stores: how they are made, and what is said of each.
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (lambda d: (d / "mlflow.db").mkdir(), "is a folder; .*/mlflow.db/mlflow.db would be a file in it"),
    "a pipe": (lambda d: os.mkfifo(d / "mlflow.db"), "is a device, pipe or socket"),
    "a text": (lambda d: (d / "mlflow.db").write_bytes(b"text" * 999), "is not a SQLite database"),
    "a header alone": (lambda d: (d / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000), "cannot be"),
    "a loop": (lambda d: (d / "mlflow.db").symlink_to(d / "mlflow.db"), "is not the address|cannot be|no store"),
    "zeros": (lambda d: (d / "mlflow.db").write_bytes(bytes(9000)), "is not a SQLite database"),
    "another program": (lambda d: database(d, "CREATE TABLE studies (id INTEGER)"), "other tables: studies"),
    "cut": (cut, "is truncated, it has"),
    "overwritten": (overwritten, "is damaged|malformed"),
    "older": (older, "out-of-date database schema"),
    "locked": (locked, "database is locked by another program"),
}


def running(kind: str, where: str) -> Callable[[Path], None]:
    """Return what makes the folder of a search that this process runs."""

    def prepare(folder: Path) -> None:
        place = folder / where
        place.mkdir(parents=True)
        (place / "search.json").write_text(
            json.dumps({"name": place.name, "storage": str(place.parent)}), encoding="utf-8"
        )
        file = (place / "running.lock").open("w")
        if kind != "elsewhere":
            fcntl.flock(file, fcntl.LOCK_EX)
        machine = "another-machine" if kind == "elsewhere" else ""
        json.dump({"pid": 4711, "host": "hal", "machine": machine, "since": "2026-01-01T00:00:00+00:00"}, file)
        file.flush()
        _held.append(file)

    return prepare


def ended(folder: Path) -> None:
    """Make the folder of a search that nobody runs."""
    (folder / "s/a").mkdir(parents=True)
    (folder / "s/a/search.json").write_text("{}", encoding="utf-8")


def lock_that_is_a_pipe(folder: Path) -> None:
    running("here", "s/a")(folder)
    (folder / "s/a/running.lock").unlink()
    os.mkfifo(folder / "s/a/running.lock")


EVERYWHERE = ("a path", "a closed port", "mysql", "a password and a misspelt scheme")


def _name(command: tuple[str, ...]) -> str:
    return " ".join(word for word in command if word.isalpha()) + (" why" if "--why" in command else "")


def _at(
    command: tuple[str, ...], address: str, what: str, says: str, prepare: Callable[[Path], object] | None = None
) -> Case:
    kind = " dry" if "--dry-run" in command else ""
    return Case(f"store {what} for {_name(command)}{kind}", (*command, address), says, prepare)


def _store_cases() -> list[Case]:
    cases: dict[str, Case] = {}
    for number, (what, (address, says)) in enumerate(ADDRESSES.items()):
        commands = COMMANDS if what in EVERYWHERE else (COMMANDS[number % len(COMMANDS)],)
        for command in commands:
            one = _at(command, address, what, says)
            cases[one.name] = one
    for number, (what, (prepare, says)) in enumerate(FILES.items()):
        for step in (0, 5):  # a command that reads, and mostly one that writes
            command = COMMANDS[(number + step) % len(COMMANDS)]
            one = _at(command, "sqlite:///{dir}/mlflow.db", what, says, prepare)
            cases[one.name] = one
    for command in COMMANDS[:5] + COMMANDS[8:]:
        one = _at(command, "sqlite:///{dir}/none.db", "that is missing", "there is no store at sqlite:///.*none.db")
        cases[one.name] = one
    return list(cases.values())


def _fetch(what: str, mirror: str, says: str, *, name: str = "T91") -> Case:
    return Case(
        f"fetch from {what}", ("data", "fetch", name, "--data-root", "{dir}/new/data", "--mirror", mirror), says
    )


RUNNING = "name: the search a is running already: process 4711 on hal, since 2026-01-01"

CASES = [
    *_store_cases(),
    Case("resume what runs", ("search", "--resume", "a", "--storage", "{dir}/s"), RUNNING, running("here", "s/a")),
    Case("resume what runs with more trials", ("search", "--resume", "a", "--trials", "99", "--storage", "{dir}/s"), RUNNING,
         running("here", "s/a")),
    Case("resume the newest that runs", ("search", "--resume", "--storage", "{dir}/s"), RUNNING, running("here", "s/a")),
    Case("start what runs", ("search", "--name", "a", "--storage", "{dir}/s"), RUNNING, running("here", "s/a")),
    Case("start or resume what runs", ("search", "--name", "a", "--resume", "a", "--storage", "{dir}/s"), RUNNING,
         running("here", "s/a")),
    Case("plan what runs", ("search", "--name", "a", "--dry-run", "--storage", "{dir}/s"), RUNNING, running("here", "s/a")),
    Case("resume what runs on another machine", ("search", "--resume", "a", "--storage", "{dir}/s"),
         "process 4711 on hal.*that is another machine, whose last sign of life is", running("elsewhere", "s/a")),
    Case("start what exists", ("search", "--name", "a", "--storage", "{dir}/s"), "add --resume a to continue it",
         ended),
    Case("resume with a lock that is a pipe", ("search", "--resume", "a", "--storage", "{dir}/s"), "running.lock must be a file",
         lock_that_is_a_pipe),
    _fetch("nowhere", "", "mirror: must not be empty"),
    _fetch("plain http", "http://example.com", "must begin with https"),
    _fetch("ftp", "ftp://example.com", "must begin with https"),
    _fetch("a file", "file:///etc", "must begin with https"),
    _fetch("no host", "https://", "must begin with https"),
    _fetch("an open bracket", "https://[::1", "not a valid address"),
    _fetch("a word for a port", "http://127.0.0.1:port", "not a valid address"),
    _fetch("a high port", "http://127.0.0.1:99999", "not a valid address"),
    _fetch("port zero", "http://127.0.0.1:0", "not a valid address"),
    _fetch("a space", "http://127.0.0.1/a b", "not a valid address"),
    _fetch("a line break", "http://127.0.0.1/a\r\nX: y", "not a valid address"),
    _fetch("letters beyond ascii", "https://b\u00fccher.example", "not a valid address"),
    _fetch("an address too long", "https://" + "a" * 3000, "not a valid address"),
    _fetch("a user with a password", "https://ann:s3cr3tw0rd@127.0.0.1", "must not contain a user or a password"),
    _fetch("a closed port", "http://127.0.0.1:1", "cannot download from 127.0.0.1:1 .*refused"),
    _fetch("a closed port the weights", "http://127.0.0.1:1", "cannot download from", name="weights"),
    Case("fetch from a mirror of the environment", ("data", "fetch", "T91", "--data-root", "{dir}/new"), "must begin with https",
         environment={"SRCNN_MIRROR": "http://example.com"}),
    Case("watch on a high port", ("watch", "a", "--storage", "{dir}/s", "--port", "70000"), "at most 65535",
         ended),
    Case("watch on a negative port", ("watch", "a", "--storage", "{dir}/s", "--port", "-1"), "at least 0",
         ended),
    Case("watch on a word", ("watch", "--port", "http"), "--port"),
    Case("storage with a password", ("search", "--storage", "s3://ann:s3cr3tw0rd@host/a"),
         r"storage: must be a folder .*s3://ann:\*\*\*@host/a"),
    Case("a name with a password", ("search", "--name", "http://ann:s3cr3tw0rd@host"), r"ann:\*\*\*@host"),
]  # fmt: skip
assert not [case.name for case in CASES if "s3cr3tw0rd" in case.says]
