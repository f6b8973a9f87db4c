"""What is not public in MLflow; checked with MLflow 3.17.

The tags ``mlflow.parentRunId``, ``mlflow.note.content``, ``mlflow.source.*`` and ``mlflow.user`` are documented ("System Tags")
and not here. ``tests/tuning/adapters/test_mlflow_internals.py`` has a test for each use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["TRAINING_EXPERIMENT", "run_address"]

#: The tag of an experiment that makes MLflow's pages show training runs rather than traces of language models. The pages guess
#: the kind of an experiment from its first runs where the tag lacks, and no function sets it. Search words:
#: "mlflow.experimentKind custom_model_development".
TRAINING_EXPERIMENT: Mapping[str, str] = MappingProxyType({"mlflow.experimentKind": "custom_model_development"})


def run_address(ui: str, experiment_id: str, run_id: str) -> str:
    """The address of a run's page.

    MLflow prints such addresses where a run ends and has no function that makes one. Search words: "get run url python".

    Args:
        ui: where MLflow's pages are, without a slash at the end.
        experiment_id: the run's experiment.
        run_id: the run.
    """
    return f"{ui}/#/experiments/{experiment_id}/runs/{run_id}"
