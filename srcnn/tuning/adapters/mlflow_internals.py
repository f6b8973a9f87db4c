"""Uses of non-public parts of MLflow; checked with MLflow 3.17.

The tags ``mlflow.parentRunId``, ``mlflow.note.content``, ``mlflow.source.*`` and ``mlflow.user`` are documented ("System Tags"),
and therefore not listed here. ``tests/tuning/adapters/test_mlflow_internals.py`` has a test for each use.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from mlflow.tracking import MlflowClient
from sqlalchemy import Engine, bindparam, text
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["TRAINING_EXPERIMENT", "columns_of_runs", "run_address"]

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


#: Query for each kind of column, with the key of the columns and the tag that chooses the runs.
_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        kind: f"""
        SELECT c.run_uuid, c.key, c.value FROM {kind} c
        JOIN tags chosen ON chosen.run_uuid = c.run_uuid AND chosen.key = :tag AND chosen.value = :value
        JOIN runs r ON r.run_uuid = c.run_uuid AND r.experiment_id = :experiment AND r.lifecycle_stage = 'active'
        WHERE c.key IN :keys
        """
        for kind in ("params", "tags", "latest_metrics")
    }
)


def columns_of_runs(
    client: MlflowClient,
    experiment_id: str,
    tag: tuple[str, str],
    *,
    params: Collection[str],
    tags: Collection[str],
    metrics: Collection[str],
) -> dict[str, tuple[dict[str, str], dict[str, str], dict[str, float]]] | None:
    """Read some columns of the runs with a tag, straight from the database of the store.

    ``MlflowClient.search_runs`` always reads all columns: three seconds for a thousand trials, where this takes a tenth.

    Args:
        client: client of the store.
        experiment_id: id of the experiment.
        tag: key and value that choose the runs.
        params: names of the parameters to read.
        tags: names of the tags to read.
        metrics: names of the metrics to read, each with its latest value.

    Returns:
        Parameters, tags and metrics of each run, by its id. None: this process does not read the database of the store itself,
        for example because it is a server, or the tables are not those of MLflow 3.17.
    """
    store: Any = client._tracking_client.store
    engine = getattr(store, "engine", None)
    if not isinstance(engine, Engine):
        return None
    found: dict[str, tuple[dict[str, str], dict[str, str], dict[str, float]]] = defaultdict(lambda: ({}, {}, {}))
    chosen = {"tag": tag[0], "value": tag[1], "experiment": int(experiment_id)}
    try:
        with engine.connect() as connection:
            for place, (kind, keys) in enumerate((("params", params), ("tags", tags), ("latest_metrics", metrics))):
                query = text(_COLUMNS[kind]).bindparams(bindparam("keys", expanding=True))
                for run_id, key, value in connection.execute(query, {**chosen, "keys": list(keys)}):
                    found[run_id][place][key] = value
    except SQLAlchemyError:
        return None
    return dict(found)
