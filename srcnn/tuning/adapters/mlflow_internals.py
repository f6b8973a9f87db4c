"""Uses of non-public parts of MLflow; checked with MLflow 3.17.

The tags ``mlflow.parentRunId``, ``mlflow.note.content``, ``mlflow.source.*`` and ``mlflow.user`` are documented ("System Tags"),
and therefore not listed here. ``tests/tuning/adapters/test_mlflow_internals.py`` has a test for each use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["TRAINING_EXPERIMENT", "run_address"]

#: Tag of an experiment that makes MLflow's web pages show training runs instead of traces of language models. Without the tag,
#: the pages guess the kind from the first runs of the experiment. There is no public function to set it. Search words:
#: "mlflow.experimentKind custom_model_development".
TRAINING_EXPERIMENT: Mapping[str, str] = MappingProxyType({"mlflow.experimentKind": "custom_model_development"})


def run_address(ui: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run's web page.

    MLflow prints such addresses at the end of a run, but has no public function for them. Search words: "get run url python".

    Args:
        ui: address of MLflow's web pages, without a slash at the end.
        experiment_id: id of the run's experiment.
        run_id: id of the run.
    """
    return f"{ui}/#/experiments/{experiment_id}/runs/{run_id}"
