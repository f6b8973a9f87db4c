"""Start and shutdown of Ray, its log level, and graceful termination of a search by a signal."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import optuna
import ray

from srcnn.errors import SearchError
from srcnn.tuning.adapters.ray_internals import loopback_only, own_process_groups
from srcnn.tuning.driver.faults import is_disk_full
from srcnn.tuning.tracking.store_address import first_line

__all__ = ["Cluster", "Interrupt", "be_quiet", "end_in_good_order"]

_THREADS = 180  # of Ray's processes with one worker: 157 and 26 were counted with Ray 2.60


class Cluster:
    """Context manager that starts Ray in a background thread and shuts it down at the end.

    If Ray is already initialized in this process, that instance is used and left running.

    Args:
        address: address of a Ray cluster; None: start Ray on this machine.
    """

    def __init__(self, address: str | None) -> None:
        self._address, self._mine = address, not ray.is_initialized()
        self._error: Exception | None = None
        self._up, self._down = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Cluster:
        if self._mine:
            if self._address is None:
                _check_processes()
            self._thread.start()
        return self

    def _run(self) -> None:
        # Linux kills Ray's processes when the thread that started them ends, so this thread stays alive.
        try:
            with suppress(OSError, RuntimeError):  # Ray says what is wrong with a home folder
                _own_token()
            with loopback_only() if self._address is None else nullcontext(), own_process_groups():
                self._init()
        except Exception as error:  # raised again in the caller's thread by wait()
            self._error = error
        self._up.set()
        self._down.wait()

    def _init(self) -> None:
        ray.init(
            address=self._address or "local",  # without an address, Ray would join any instance on this machine
            include_dashboard=None if self._address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )

    def wait(self) -> None:
        """Block until Ray is running.

        Raises:
            SearchError: there is no cluster at the address, or Ray's client is not installed.
        """
        if self._mine:
            self._up.wait()
        if isinstance(self._error, ImportError):
            raise SearchError(f"address: {self._address} needs Ray's client: pip install 'srcnn[cluster]'") from None
        if self._error is None:
            return
        # Ray has no class of its own for a node that does not start in time.
        known = isinstance(self._error, ConnectionError | ValueError | RuntimeError) or type(self._error) is Exception
        if known and self._address is not None:
            raise SearchError(f"address: no Ray cluster at {self._address}: {first_line(self._error)}") from None
        if known or (isinstance(self._error, OSError) and not is_disk_full(self._error)):
            raise SearchError(f"ray: cannot be started on this machine: {_why(self._error)}") from None
        raise self._error

    def __exit__(self, *exception: object) -> None:
        if self._mine:
            self._up.wait()
            ray.shutdown()
            self._down.set()
            self._thread.join()


def _check_processes() -> None:
    """Check that this user may start Ray's processes and threads: Ray aborts the whole process if it meets the limit.

    Raises:
        SearchError: fewer are left than Ray takes with one worker.
    """
    if sys.platform != "linux":
        return
    import resource  # not everywhere

    limit, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if limit == resource.RLIM_INFINITY or os.geteuid() == 0:  # the limit does not bind root
        return
    used = 0
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):  # it has ended
                if process.stat().st_uid == os.geteuid():
                    used += sum(1 for _ in (process / "task").iterdir())
    if limit - used < _THREADS:
        raise SearchError(
            f"ray: cannot be started on this machine: it takes at least {_THREADS} processes and threads, and this user has "
            f"{used} of {limit} (ulimit -u)"
        )


def _why(error: Exception) -> str:
    """Return why Ray did not start here, and what helps where that is known."""
    words = first_line(error)
    if not isinstance(error, OSError):
        limited = any(
            sign in words for sign in ("timed out during startup", "can't start new thread", "failed to start")
        )
        return (
            f"{words.rstrip('.')}; the machine is too busy, or a limit on processes is too low (ulimit -u)"
            if limited
            else words
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{words}; a limit on open files is too low (ulimit -n)"
    if error.errno == errno.EAGAIN:
        return f"{words}; a limit on processes is too low (ulimit -u)"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{words}; Ray's files need a folder that can be written, which RAY_TMPDIR or TMPDIR names"
    return words


def _own_token() -> None:
    """Take the permission to read Ray's token from other users: Ray writes it as any other file."""
    token = Path.home() / ".ray" / "auth_token"
    if token.is_file() and token.stat().st_mode & 0o077:
        token.chmod(0o600)


class Interrupt:
    """Context manager for graceful termination: Ctrl-C or SIGTERM stops the trials and saves their state.

    A second signal raises KeyboardInterrupt immediately. Tune stops gracefully at SIGUSR1 and at SIGINT, but does not tell
    its caller that a signal was the cause; `came` is set for that purpose.

    Args:
        acknowledge: called at once at the first signal, before anything is saved; None: nothing is said.
    """

    def __init__(self, acknowledge: Callable[[], None] | None = None) -> None:
        self.came = False
        self._acknowledge = acknowledge
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        if self._acknowledge is not None:
            self._acknowledge()
        end_in_good_order()


def end_in_good_order() -> None:
    """Make Tune stop its trials and save its state, as it does at a signal."""
    signal.raise_signal(signal.SIGUSR1)


def be_quiet() -> None:
    """Hide log messages of Ray, MLflow and Optuna below errors, and Ray Tune's errors too: callers report failed trials.

    `srcnn.tuning.configure` sets the environment variables with the same purpose.
    """
    for name in ("ray", "alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
