"""Settings of a search of seconds on the workplace, and its runs in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from srcnn.tuning.planning.settings import SearchSettings

__all__ = ["children", "settings"]


def settings(name: str, **fields: object) -> SearchSettings:
    given: dict[str, Any] = {"name": name, "space": "space.yaml", "train": "train", "test": ("test",)}
    given |= {"validation": 2, "budget": 150e3, "confirm": False, "gpus_per_trial": 0}
    return SearchSettings(**{**given, **fields})


def children(search: str) -> tuple[MlflowClient, Run, list[Run]]:
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("srcnn")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    (parent,) = [r for r in found if r.data.tags["srcnn.trial"] == "parent" and r.data.tags["srcnn.search"] == search]
    return client, parent, [r for r in found if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
