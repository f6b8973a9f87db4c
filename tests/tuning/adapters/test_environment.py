"""The environment is set by a call and by nothing else, and the variables are read when this package believes they are."""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest
import ray

import srcnn.tuning
from srcnn.tuning.adapters.environment import (
    AT_START,
    IN_WORKERS,
    TELEMETRY,
    VARIABLES,
    configure,
    configure_worker,
    temporarily,
)

COMMANDS = [
    file
    for file in sorted((Path(__file__).parents[3] / "experiments").glob("[!_]*.py"))
    if "srcnn.tuning" in file.read_text(encoding="utf-8")
]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without any of the variables."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what the test sets is undone too
        monkeypatch.delenv(name)
    return monkeypatch


def run(code: str) -> str:
    """In a process of its own, without the variables."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_configure_sets_what_nobody_has_set(bare: pytest.MonkeyPatch) -> None:
    assert srcnn.tuning.configure is configure
    bare.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    configure()
    assert {name: os.environ[name] for name in VARIABLES} == {**VARIABLES, "MLFLOW_HTTP_REQUEST_TIMEOUT": "7"}


def test_a_worker_is_given_what_it_reads(bare: pytest.MonkeyPatch) -> None:
    configure_worker()
    assert {name for name in VARIABLES if name in os.environ} == set(IN_WORKERS)


def test_one_line_says_that_ray_ran_already(bare: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "srcnn"):
        configure()
        assert not caplog.records
        bare.delenv("RAY_USAGE_STATS_ENABLED")
        bare.setattr(ray, "is_initialized", lambda: True)
        configure()
        configure()  # all is set by now
    (record,) = caplog.records
    assert record.getMessage() == (
        "Ray is already running, so RAY_USAGE_STATS_ENABLED=0 has no effect; call srcnn.tuning.configure() before ray.init()"
    )


@pytest.mark.parametrize("file", COMMANDS, ids=[file.name for file in COMMANDS])
def test_every_command_of_the_platform_configures_it(file: Path) -> None:
    calls = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    assert any(isinstance(call.func, ast.Name) and call.func.id == "configure" for call in calls)


def test_values_hold_for_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRCNN_ONE", "1")
    monkeypatch.delenv("SRCNN_TWO", raising=False)
    with pytest.raises(ZeroDivisionError), temporarily({"SRCNN_ONE": "2", "SRCNN_TWO": "2"}):
        assert (os.environ["SRCNN_ONE"], os.environ["SRCNN_TWO"]) == ("2", "2")
        _ = 1 / 0
    assert os.environ["SRCNN_ONE"] == "1"
    assert "SRCNN_TWO" not in os.environ


def test_importing_the_library_changes_nothing_of_the_process() -> None:
    """What Ray, MLflow, Optuna and the others change of it by themselves does not count, so they come first."""
    code = """
import importlib, logging, os, pkgutil, signal, sys, warnings
import matplotlib, matplotlib.pyplot, mlflow, mlflow.tracking, optuna, ray, ray.tune, ray.tune.search.optuna, ray.util.queue
import bokeh.plotting, markdown_it, rich, scipy.stats, skimage.metrics, sklearn.linear_model, torch
import srcnn
def state():
    names = ("", "ray", "ray.tune", "mlflow", "optuna", "alembic", "matplotlib", "srcnn")
    return {
        "environment": dict(os.environ),
        "levels": {name: logging.getLogger(name).level for name in names},
        "handlers": {name: list(logging.getLogger(name).handlers) for name in names},
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "backend": matplotlib.get_backend(),
        "threads": torch.get_num_threads(),
        "folder": os.getcwd(),
    }
before = state()
for module in pkgutil.walk_packages(srcnn.__path__, "srcnn."):
    importlib.import_module(module.name)
print({name: (value, state()[name]) for name, value in before.items() if value != state()[name]})
"""
    assert run(code) == "{}"


_SPY = """
import os
read = []
kind = type(os.environ)
get = kind.__getitem__
def spy(self, name):
    if name in VARIABLES:
        read.append(name)
    return get(self, name)
kind.__getitem__ = spy
"""


def test_no_variable_is_read_while_ray_and_mlflow_are_imported() -> None:
    """Else `configure` would come too late in a command that imports this package first."""
    imports = "import mlflow.tracking, ray.tune, ray.tune.search.optuna"
    code = f"VARIABLES = {set(VARIABLES) - set(TELEMETRY)}\n{_SPY}\n{imports}\nprint(read)"
    assert run(code) == "[]"


def test_mlflow_sends_no_usage_statistics() -> None:
    """Not even where MLflow was imported before the call: it asks again before each event, here a new experiment."""
    code = """
import mlflow, mlflow.telemetry.track, os, tempfile
from srcnn.tuning import configure
records = []
class Client:
    config = None
    def add_record(self, record):
        records.append(record.event_name)
mlflow.telemetry.track.get_telemetry_client = Client
mlflow.telemetry.track.is_telemetry_disabled = lambda: os.environ.get("MLFLOW_DISABLE_TELEMETRY") == "true"
mlflow.set_tracking_uri(f"sqlite:///{tempfile.mkdtemp()}/mlflow.db")
client = mlflow.MlflowClient()
client.create_experiment("a")
configure()
client.create_experiment("b")
print(records)
"""
    assert run(code) == "['create_experiment']"


def test_ray_and_mlflow_know_the_variables() -> None:
    """Each name stands in the code that is to read it."""
    text = "".join(
        file.read_text(encoding="utf-8")
        for package, parts in (
            (ray, ("tune", "_common/usage", "_private/accelerators")),
            (mlflow, ("environment_variables.py",)),
        )
        for part in parts
        for file in _files(Path(package.__file__).parent / part)
    )
    assert [name for name in VARIABLES if f'"{name}"' not in text] == []
    assert set(AT_START) | set(IN_WORKERS) < set(VARIABLES)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))
