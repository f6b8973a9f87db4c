"""Environment variables for Ray and MLflow. `configure` sets them; importing this module does not.

None of them except `TELEMETRY` is read while Ray or MLflow is imported (checked with Ray 2.60 and MLflow 3.17 by
``tests/tuning/adapters/test_environment.py``), so a command can import this package first and then call `configure`. Those in
`AT_START` are read by Ray's processes, which get a copy of the environment when ``ray.init`` starts them.

Values that are already set are not changed.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

__all__ = ["AT_START", "IN_WORKERS", "TELEMETRY", "VARIABLES", "configure", "configure_worker", "temporarily"]

_log = logging.getLogger(__name__)

#: Read by Ray's processes when they start.
AT_START: Mapping[str, str] = MappingProxyType(
    {
        "RAY_USAGE_STATS_ENABLED": "0",  # no usage statistics to the developers of Ray
        # CUDA_VISIBLE_DEVICES is not changed for a trial without a GPU: `srcnn.tuning.worker.trial_device` chooses the device.
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
)

#: Read in a worker each time that it starts another trial.
IN_WORKERS: Mapping[str, str] = MappingProxyType(
    {
        # A reused process waits for the end of the thread of the previous trial. On a busy machine this takes longer than
        # Tune's default of two seconds, after which Tune would fail the next trial.
        "TUNE_FUNCTION_THREAD_TIMEOUT_S": "600",
    }
)

#: No usage statistics to the developers of MLflow. MLflow reads this when it is imported and again before each event that it
#: would record, and sends nothing before the first event, so it takes effect at any time.
TELEMETRY: Mapping[str, str] = MappingProxyType({"MLFLOW_DISABLE_TELEMETRY": "true"})

#: All variables that `configure` sets. Those in no other mapping are read in the driver when needed.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        **AT_START,
        **IN_WORKERS,
        "RAY_AIR_NEW_OUTPUT": "0",  # this package has its own progress display
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # this package has its own logging
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # srcnn.tuning.driver.cluster handles the signal
        "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # callers receive the errors as events
        "MLFLOW_ENABLE_ASYNC_LOGGING": "false",  # the journal is the queue
        # With a journal, it is better to know soon that a server is unavailable than to let MLflow retry for minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # otherwise two lines at the end of every trial
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # not useful for files of a few kilobytes
        **TELEMETRY,
    }
)


def configure() -> None:
    """Set the environment variables for Ray and MLflow that are not set yet. Call it before ``ray.init``; it is idempotent.

    If Ray is already initialized in this process without a variable of `AT_START`, a warning is logged, because the variable
    does not affect running processes. All other variables take effect at any time.
    """
    late = [f"{name}={value}" for name, value in AT_START.items() if name not in os.environ]
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    ray = sys.modules.get("ray")  # an import would take a second
    if late and ray is not None and ray.is_initialized():
        _log.warning(
            "Ray is already running, so %s has no effect; call srcnn.tuning.configure() before ray.init()",
            ", ".join(late),
        )


def configure_worker() -> None:
    """Set the variables that Tune reads in a worker: an existing cluster does not have the driver's environment."""
    for name, value in IN_WORKERS.items():
        os.environ.setdefault(name, value)


@contextmanager
def temporarily(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables inside the block, and restore the old values after it."""
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
