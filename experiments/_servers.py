"""Real servers for tests and the soak test: PostgreSQL from system packages, and MLflow, on this machine only."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

__all__ = ["MlflowServer", "free_port", "kin", "patiently", "postgres_programs", "postgresql"]


Started = TypeVar("Started")


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def patiently(start: Callable[[], Started]) -> Started:
    """Return what ``start`` returns; where the system has no process to give at once (EAGAIN), wait up to a minute for one."""
    for pause in (1, 2, 4, 8, 16, 32):
        try:
            return start()
        except BlockingIOError:
            time.sleep(pause)
    return start()


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs; None if it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if found:
        return found[-1]
    program = shutil.which("initdb")
    return None if program is None else Path(program).resolve().parent


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a new PostgreSQL server for the duration of the block. Yield its address for SQLAlchemy.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = postgres_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and its user must own the data.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    prefix = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="srcnn-postgres-"))
    port = free_port()
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)

        def call(program: str, *arguments: str) -> None:
            subprocess.run(
                [*prefix, str(programs / program), *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,
            )

        call("initdb", "-D", str(folder / "data"), "--auth=trust", f"--username={user}", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories={folder}"
        call("pg_ctl", "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", user, "mlflow")
            yield f"postgresql://{user}@127.0.0.1:{port}/mlflow"
        finally:
            call("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class MlflowServer:
    """An MLflow server that can be stopped and started again at the same address.

    Args:
        backend: address of its database.
        artifacts: folder of the artifacts of its clients.
        log: file for its output.
    """

    def __init__(self, backend: str, artifacts: Path, log: Path) -> None:
        self._backend, self._artifacts, self._log = backend, artifacts, log
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """For clients."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server and wait until it responds.

        Raises:
            TimeoutError: it does not respond.
        """
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        command += [
            "--backend-store-uri",
            self._backend,
            "--artifacts-destination",
            str(self._artifacts),
            "--workers",
            "1",
        ]
        # Nothing here is a job of MLflow's server, whose runners would each load all of MLflow.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with self._log.open("ab") as log:
            self._process = patiently(
                lambda: subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment)
            )
        end = time.monotonic() + 180
        while time.monotonic() < end:
            with (
                suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(f"{self.uri}/health", timeout=5) as answer,
            ):
                if answer.status == 200:
                    return
            time.sleep(0.3)
        raise TimeoutError(f"MLflow did not start: {self._log}")

    def stop(self) -> None:
        """Kill the server and all its child processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None

    def __enter__(self) -> MlflowServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def kin(pid: int, title: str) -> list[int]:
    """Return the descendants of a process whose command line begins with a title, such as ``ray::``."""
    parents: dict[int, int] = {}
    titles: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                titles[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    found = []
    for candidate, words in titles.items():
        above = candidate
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and candidate != pid and words.startswith(title):
            found.append(candidate)
    return found
