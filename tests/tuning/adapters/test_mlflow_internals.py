"""What is not public in MLflow is still there."""

from __future__ import annotations

import inspect
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking._tracking_service.client import TrackingServiceClient

from srcnn.tuning.adapters.mlflow_internals import TRAINING_EXPERIMENT, run_address


def pages() -> str:
    """The scripts of MLflow's pages."""
    folder = Path(mlflow.__file__).parent / "server" / "js" / "build"
    if not folder.is_dir():
        pytest.skip("this MLflow comes without its pages")
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in folder.rglob("*.js"))


def test_mlflow_experiment_kind_and_its_value_are_known_to_the_pages() -> None:
    scripts = pages()
    for name, value in TRAINING_EXPERIMENT.items():
        assert name in scripts
        assert value in scripts


def test_the_address_of_a_run_is_the_one_that_mlflow_prints() -> None:
    printed = inspect.getsource(TrackingServiceClient._log_url)
    assert 'f"{host_url}/#/experiments/{experiment_id}"' in printed
    assert 'f"{experiment_url}/runs/{run_id}"' in printed
    assert run_address("http://127.0.0.1:5000", "1", "ab") == "http://127.0.0.1:5000/#/experiments/1/runs/ab"
