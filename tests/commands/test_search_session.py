"""A run of the command search as a real process: exit codes, what goes where, and no control characters in a log."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from _servers import MlflowServer
from checkout import ROOT
from space_text import GOOD, write

FLAGS = (
    *("--space", "space.yaml", "--train", "train", "--test", "test", "--validation", "1", "--judging", "1"),
    *("--scale", "3", "--no-confirm", "--sampler", "random", "--no-report", "--max-concurrent", "1"),
)


@pytest.fixture
def workplace(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(photos)
    monkeypatch.setenv("SRCNN_CACHE", str(photos / "cache"))
    write(photos, GOOD)
    return photos


def command(*flags: str) -> list[str]:
    return [sys.executable, str(ROOT / "experiments" / "search.py"), *FLAGS, *flags]


def search(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*flags), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_lines_for_programs(workplace: Path) -> None:
    done = search("--name", "one", "--trials", "2", "--budget", "20k", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [one["event"] for one in found]
    assert kinds[:2] == ["plan", "stage"]
    assert kinds[-1] == "result"
    assert kinds.count("end") == 2
    assert {"start", "report"} < set(kinds)
    plan, result = found[0], found[-1]
    assert (plan["version"], plan["search"], plan["trials"], plan["resumed"]) == (1, "one", 2, False)
    assert result["counts"]["finished"] + result["counts"]["stopped"] == 2
    assert result["report"] is None
    (champion,) = result["champions"]
    assert Path(champion["network"]).is_file()

    again = search("--name", "one")  # said before anything is read or measured
    assert again.returncode == 2
    assert again.stderr == "error: name: a search one exists; add --resume one to continue it\n"
    assert again.stdout == ""

    def resume(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "experiments" / "search.py"), "--resume", "one", "--trials", "3", *flags],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **variables},
        )

    # As on another machine: the key with which the search sealed its state is not there.
    strange = resume(SRCNN_STATE=str(workplace / "elsewhere"))
    assert strange.returncode == 2
    assert re.fullmatch(
        r"error: resume: \S+one must have been written by you on this machine, because reading it runs code, but it was "
        r"sealed with a key that is not here \(\S+seal\.key\); --trust-saved-state accepts it once\n",
        strange.stderr,
    )
    assert strange.stdout == ""

    resumed = resume("--no-report", "--trust-saved-state", SRCNN_STATE=str(workplace / "elsewhere"))
    assert resumed.returncode == 0, resumed.stderr
    assert "search one, resumed" in resumed.stdout
    assert "resumed: 2 of 3 trials had ended, 0 wait at their last epoch" in resumed.stdout
    assert re.search(r"^\S+ \S+    3/3  x3 ", resumed.stdout, re.MULTILINE)
    assert "Downloading" not in resumed.stdout + resumed.stderr
    assert all(line.isprintable() for line in resumed.stdout.splitlines())


@contextmanager
def guarded(server: str, user: str, password: str) -> Iterator[str]:
    """Yield the address of a server before another one, which lets nobody pass without the password (Basic)."""
    wanted = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    class Guard(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != wanted:
                self._answer(401, b"{}", {})
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_A_CONNECTION}
            request = urllib.request.Request(server + self.path, content or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    self._answer(answer.status, answer.read(), dict(answer.headers))
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read(), dict(error.headers))

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _OF_A_CONNECTION:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    guard = ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    thread = threading.Thread(target=guard.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{guard.server_port}"
    finally:
        guard.shutdown()
        guard.server_close()
        thread.join()


_OF_A_CONNECTION = ("connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding")


def titles() -> set[bytes]:
    """The command lines of all processes, as everybody on the machine sees them."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                found.add((process / "cmdline").read_bytes())
    return found


def with_secret(folder: Path, secret: str) -> list[str]:
    """The files whose content or name has a secret, as it is or in the form in which it is sent."""
    forms = [secret.encode(), b64encode(f"ann:{secret}".encode())]
    named = [str(path) for path in folder.rglob("*") if secret in path.name]
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return named + [str(file) for file in files if any(form in file.read_bytes() for form in forms)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes in /proc")
def test_the_password_of_a_store_is_in_nothing_that_a_search_writes(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole search on a server with a password; then its folder, Ray's session, its output and all command lines."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SRCNN_STATE", str(workplace / "state"))
    secret = "Geheimwort-2718"
    server = MlflowServer(f"sqlite:///{workplace}/server.db", workplace / "artifacts", workplace / "server.log")
    with server, guarded(server.uri, "ann", secret) as uri:
        flags = ("--name", "secret", "--trials", "2", "--budget", "20k")
        refused = search(*flags, "--tracking-uri", uri)
        assert refused.returncode == 2
        assert (
            refused.stderr.startswith(f"error: tracking-uri: {uri} ") and "MLFLOW_TRACKING_PASSWORD" in refused.stderr
        )
        given = uri.replace("http://", f"http://ann:{secret}@")
        process = subprocess.Popen(
            command(*flags, "--tracking-uri", given), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        said: list[str] = []

        def listen() -> None:
            assert process.stdout is not None
            with process.stdout as lines:
                said.extend(lines)

        reader = threading.Thread(target=listen)
        reader.start()
        seen: set[bytes] = set()
        live = Path("mlruns", "ray", "secret", "live.json")
        while process.poll() is None:
            if live.exists():  # before, it was still reading its command line
                seen |= titles()
            time.sleep(0.5)
        reader.join()
        assert process.returncode == 0, "".join(said)
        assert any(b"ray::" in title for title in seen) and any(b"search.py" in title for title in seen)
        assert [title for title in seen if secret.encode() in title] == []
        assert secret not in "".join(said) and "search secret" in "".join(said)
        (session,) = Path("/tmp/ray").glob(f"session_*_{process.pid}")
        assert len(list(session.rglob("*.log"))) > 3
        for folder in (workplace, session):
            assert with_secret(folder, secret) == []
        assert with_secret(workplace, "ann:***") == []  # nothing at all of the user's part of the address
        assert statuses(workplace / "server.db") == ["FINISHED"] * 3  # the search and its trials: the password was used


def statuses(database: Path) -> list[str]:
    """The states of all runs in a store."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return [str(status) for (status,) in opened.execute("select status from runs")]


def listening(pid: int) -> dict[str, str]:
    """Addresses on which a process and its children listen, with the name of the process."""
    psutil: Any = pytest.importorskip("psutil")  # MLflow's metrics of the machine need it
    process = psutil.Process(pid)
    there = {one.pid: one for one in (process, *process.children(recursive=True))}
    return {
        f"{one.laddr.ip} {one.laddr.port}": there[one.pid].name()
        for one in psutil.net_connections("inet")
        if one.status == psutil.CONN_LISTEN and one.pid in there
    }


def test_a_signal_to_the_whole_group_ends_a_search_in_good_order(workplace: Path) -> None:
    """Meanwhile: it listens on the loopback address alone, and a second driver is refused."""
    process = started("ended")
    found = listening(process.pid)
    assert {name for name in found.values() if name in ("raylet", "gcs_server")} == {"raylet", "gcs_server"}
    assert [at for at in found if not at.startswith(("127.0.0.1 ", "::ffff:127.0.0.1 ", "::1 "))] == []
    for flags in (("--resume", "ended"), ("--name", "ended")):
        again = subprocess.run(
            [sys.executable, str(ROOT / "experiments" / "search.py"), *flags],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 2
        assert again.stderr.startswith(f"error: name: the search ended is running already: process {process.pid} on ")
        assert (again.stderr.count("\n"), again.stdout) == (1, "")
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert re.search(r"^interrupted after .* in the search: \d+ of 40 trials had begun$", said, re.MULTILINE)
    assert said.rstrip().endswith("--resume ended")


def started(name: str) -> subprocess.Popen[str]:
    """Start a long search in a session of its own, and return when its first trial has begun."""
    process = subprocess.Popen(
        command("--name", name, "--trials", "40", "--budget", "2M"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    live = Path("mlruns", "ray", name, "live.json")
    for _ in range(3000):  # a busy machine takes its time to start Ray
        if live.exists() and json.loads(live.read_text(encoding="utf-8"))["trials"]:
            break
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    return process


def test_an_interrupt_is_acknowledged_and_exits_with_130(workplace: Path) -> None:
    process = started("cut")
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == 130, said
    lines = said.splitlines()
    place = lines.index("interrupted: stopping and saving; Ctrl-C again ends at once")
    after = "\n".join(lines[place + 1 :])
    assert re.search(r"^interrupted after .* in the search: \d+ of 40 trials had begun$", after, re.MULTILINE)
    assert re.search(r"^never began: (3\d|2\d) trials of the search$", after, re.MULTILINE)
    assert after.endswith("--resume cut")


def test_mistakes_are_one_line_and_exit_with_2(workplace: Path) -> None:
    for flags, words in (
        (("--trails", "3"), "--trails: no such flag; did you mean --trials or --train?"),
        (("--scheduler", "ashe"), "ashe"),
        (("--resume", "--storage", "nowhere"), "resume: there is no search in nowhere"),
        (("--dry-run", "--address", "auto", "--name", "x"), "dry_run: must not be combined with --address"),
    ):
        done = search(*flags)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
