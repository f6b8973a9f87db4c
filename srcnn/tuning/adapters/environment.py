"""The environment variables that Ray and MLflow read: `configure` sets them, and nothing does so at import.

None of them is read while Ray or MLflow is imported (checked with Ray 2.60 and MLflow 3.17 by
``tests/tuning/adapters/test_environment.py``), so a command may import this package first and call `configure` then. Those in
`AT_START` are read by Ray's own processes, which copy the environment when ``ray.init`` starts them.

A value that a person has set is kept.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

__all__ = ["AT_START", "IN_WORKERS", "VARIABLES", "configure", "configure_worker", "temporarily"]

_log = logging.getLogger(__name__)

#: Read by Ray's processes when they start.
AT_START: Mapping[str, str] = MappingProxyType(
    {
        "RAY_USAGE_STATS_ENABLED": "0",  # no report to Ray's makers
        # A trial without a GPU sees CUDA_VISIBLE_DEVICES as it is: `srcnn.tuning.worker.trial_device` chooses.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
)

#: Read in a worker whenever it goes on to another trial.
IN_WORKERS: Mapping[str, str] = MappingProxyType(
    {
        # A process that serves trial after trial waits for the one before to leave. On a busy machine that takes longer than
        # Tune's two seconds, after which Tune would fail the next trial.
        "TUNE_FUNCTION_THREAD_TIMEOUT_S": "600",
    }
)

#: Everything that `configure` sets. What is in neither of the other two is read in the driver, when it is needed.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        **AT_START,
        **IN_WORKERS,
        "RAY_AIR_NEW_OUTPUT": "0",  # this package draws its own progress
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # and writes its own logs
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # srcnn.tuning.driver.cluster handles it
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # every caller is told of them
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # the journal is this package's own queue
        # Behind a journal it is better to hear soon that a server is away than to have MLflow try for minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for every trial that ends
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # for files of a few kilobytes
    }
)


def configure() -> None:
    """Set what Ray and MLflow read, as far as nobody has set it. Call it before ``ray.init``; a second call changes nothing.

    Where Ray runs already in this process and lacks a value of `AT_START`, one line of the log says so: that variable has no
    effect on the processes that run. Everything else takes effect at any time.
    """
    late = [f"{name}={value}" for name, value in AT_START.items() if name not in os.environ]
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    ray = sys.modules.get("ray")  # not imported for this: that takes a second
    if late and ray is not None and ray.is_initialized():
        _log.warning(
            "Ray runs already, so it does not know %s; call srcnn.tuning.configure() before ray.init()", ", ".join(late)
        )


def configure_worker() -> None:
    """Set what Tune reads in a worker; on a cluster that others started the driver's environment does not reach it."""
    for name, value in IN_WORKERS.items():
        os.environ.setdefault(name, value)


@contextmanager
def temporarily(values: Mapping[str, str]) -> Iterator[None]:
    """Within the block the environment has these values; after it, those from before."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
