"""Ray's coming and going: started beside the caller, quiet, and stopped in good order by a signal."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from typing import Any

import optuna
import ray

from srcnn.errors import SearchError

__all__ = ["Cluster", "Interrupt", "be_quiet", "end_in_good_order"]


class Cluster:
    """Ray for the time of a search, started beside the caller; one that runs already is used and left running."""

    def __init__(self, address: str | None) -> None:
        self._address, self._mine = address, not ray.is_initialized()
        self._error: Exception | None = None
        self._up, self._down = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Cluster:
        if self._mine:
            self._thread.start()
        return self

    def _run(self) -> None:
        # Linux kills Ray's processes when the thread that started them ends, so this one stays.
        try:
            ray.init(
                address=self._address or "local",  # without a word it would join whatever Ray runs on this machine
                include_dashboard=None if self._address else False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except Exception as error:  # told to the caller's thread
            self._error = error
        self._up.set()
        self._down.wait()

    def wait(self) -> None:
        """Until Ray is up.

        Raises:
            SearchError: there is no cluster at the address.
        """
        if self._mine:
            self._up.wait()
        if isinstance(self._error, ImportError):
            raise SearchError(f"address: {self._address} needs Ray's client: pip install 'srcnn[cluster]'") from None
        if isinstance(self._error, ConnectionError | ValueError | RuntimeError):
            raise SearchError(f"address: no Ray cluster at {self._address}: {self._error}") from None
        if self._error is not None:
            raise self._error

    def __exit__(self, *exception: object) -> None:
        if self._mine:
            self._up.wait()
            ray.shutdown()
            self._down.set()
            self._thread.join()


class Interrupt:
    """Ctrl-C or a TERM signal ends the trials in good order; a second one ends at once.

    Tune stops in good order at SIGUSR1 as well as at SIGINT, but does not tell its caller which it was: this remembers.
    """

    def __init__(self) -> None:
        self.came = False
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
        end_in_good_order()


def end_in_good_order() -> None:
    """Have Tune stop its trials and keep its state, as it does at a signal."""
    signal.raise_signal(signal.SIGUSR1)


def be_quiet() -> None:
    """Keep the libraries' own log lines off the terminal; errors stay, but for those of trials, which every caller is told.

    `srcnn.tuning.configure` does the same for what the environment says.
    """
    for name in ("ray", "alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
