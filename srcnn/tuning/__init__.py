"""The platform on top of the library: the only home of Ray, Optuna and MLflow."""

import os

# Read by Ray at its import: this package draws its own progress and writes its own logs.
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # srcnn.tuning.driver.cluster handles it
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Read in the workers: a process that serves trial after trial waits for the one before to leave. On a busy machine that takes
# longer than Tune's two seconds, after which Tune would fail the next trial.
os.environ.setdefault("TUNE_FUNCTION_THREAD_TIMEOUT_S", "600")
