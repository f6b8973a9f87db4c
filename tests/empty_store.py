"""A store with its tables and nothing in them: MLflow takes seconds to make one, so it is made once and copied."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow.tracking import MlflowClient

__all__ = ["empty", "with_store"]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all processes of a test run. Copy it: nobody changes it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "empty"
    store = folder / "mlflow.db"
    with FileLock(f"{folder}.lock"):
        if not store.exists():
            made = tmp_path_factory.mktemp("tables") / "mlflow.db"
            MlflowClient(f"sqlite:///{made}").search_experiments()
            folder.mkdir(exist_ok=True)
            shutil.move(made, store)
    return store


@pytest.fixture
def with_store(workplace: Path, empty: Path) -> Path:
    """The workplace with a store where a search looks for it. Searches that make their own are in ``test_run.py``."""
    (workplace / "mlruns").mkdir()
    shutil.copy(empty, workplace / "mlruns")
    return workplace
