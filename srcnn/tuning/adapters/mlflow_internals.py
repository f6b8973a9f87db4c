"""Uses of non-public parts of MLflow; checked with MLflow 3.17.

The tags ``mlflow.parentRunId``, ``mlflow.note.content``, ``mlflow.source.*`` and ``mlflow.user`` are documented ("System Tags"),
and therefore not listed here. ``tests/tuning/adapters/test_mlflow_internals.py`` has a test for each use.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service import utils as tracking_utils
from sqlalchemy import Engine, bindparam, text
from sqlalchemy.exc import SQLAlchemyError

__all__ = [
    "SHARED_VIEW",
    "TRAINING_EXPERIMENT",
    "artifact_address",
    "columns_of_runs",
    "forget_place",
    "packed_view",
    "reconnect",
    "run_address",
    "runs_address",
    "shows_views",
    "unpacked_view",
    "view_created",
]

#: Tag of an experiment that says that it has training runs, not traces of language models. The pages of MLflow 3.17 open in the
#: mode for language models all the same, unless the address has ``workflowType`` (`runs_address`). There is no public function to
#: set it. Search words: "mlflow.experimentKind custom_model_development".
TRAINING_EXPERIMENT: Mapping[str, str] = MappingProxyType({"mlflow.experimentKind": "custom_model_development"})


_TRAINING: Mapping[str, str] = MappingProxyType({"workflowType": "machine_learning"})  # mode of a page, see above


def run_address(ui: str, experiment_id: str, run_id: str) -> str:
    """Return the address of a run's web page, in the mode for training runs.

    MLflow prints such addresses at the end of a run, but without the mode, and has no public function for them. Search words:
    "get run url python", "mlflow workflowType machine_learning".

    Args:
        ui: address of MLflow's web pages, without a slash at the end.
        experiment_id: id of the run's experiment.
        run_id: id of the run.
    """
    return f"{ui}/#/experiments/{experiment_id}/runs/{run_id}?{urlencode(_TRAINING)}"


#: Beginning of the name of an experiment's tag with a shared view; the rest is the key. MLflow writes such tags when a person
#: shares a view of the runs, and has no public function for it. Search words: "mlflow.sharedViewState viewStateShareKey".
SHARED_VIEW = "mlflow.sharedViewState."

_DEFLATED = "deflate;"  # before the compressed state of a view


def shows_views(version: str) -> bool:
    """Return whether the web pages of a version of MLflow open the views of `packed_view`: tested with 3.17 only."""
    return version.split(".")[:2] == ["3", "17"]


def packed_view(name: str, state: Mapping[str, Any], created: int) -> str:
    """Return the value of the tag of a shared view; equal arguments give equal texts.

    Args:
        name: title of the view.
        state: state of the page: filter, order, columns, charts.
        created: time in milliseconds since 1970.
    """
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    return json.dumps({"name": name, "createdAt": created, "updatedAt": created, "state": _DEFLATED + packed})


def unpacked_view(text: str) -> dict[str, Any]:
    """Return the state of a view from the value of its tag."""
    packed = json.loads(text)["state"].removeprefix(_DEFLATED)
    return dict(json.loads(zlib.decompress(base64.b64decode(packed))))


def view_created(text: str) -> int:
    """Return when a view was created, in milliseconds since 1970, from the value of its tag; 0 if it does not say so."""
    try:
        return int(json.loads(text)["createdAt"])
    except (ValueError, KeyError, TypeError):
        return 0


def artifact_address(run_id: str, path: str) -> str:
    """Return the address of an artifact relative to MLflow's web pages, which show it as a picture in a description.

    Search words: "mlflow get-artifact run_uuid".
    """
    return f"get-artifact?{urlencode({'path': path, 'run_uuid': run_id}, quote_via=quote, safe='/')}"


def runs_address(
    ui: str, experiment_id: str, *, view: str = "", query: str = "", order: str = "", ascending: bool = False
) -> str:
    """Return the address of the page with the runs of an experiment, in the mode for training runs.

    Args:
        ui: address of MLflow's web pages, without a slash at the end.
        experiment_id: id of the experiment.
        view: key of a shared view, which opens with its charts; empty: a plain table with the next arguments.
        query: filter of the runs.
        order: column by which the runs are sorted; empty: newest first.
        ascending: whether the lowest value comes first.
    """
    fields = dict(_TRAINING)
    if view:  # the page ignores the view if the address has a filter or an order
        fields |= {"compareRunsMode": "CHART", "viewStateShareKey": view}
    else:
        fields |= {"searchFilter": query} if query else {}
        fields |= {"orderByKey": order, "orderByAsc": str(ascending).lower()} if order else {}
    return f"{ui}/#/experiments/{experiment_id}/runs?{urlencode(fields, quote_via=quote)}"


def reconnect(client: MlflowClient) -> None:
    """Close the connections of this process to the database of a store, so that the next call opens new ones.

    MLflow keeps connections. One to a database file that was replaced fails for ever, and there is no public function to close
    it. Nothing is done if the store is a server. Search words: "mlflow sqlalchemy engine dispose".
    """
    engine = getattr(client._tracking_client.store, "engine", None)
    if isinstance(engine, Engine):
        engine.dispose()


def forget_place(run_id: str) -> None:
    """Forget where the artifacts of a run are, so that MLflow asks the store again.

    MLflow keeps the place for the life of the process, also a wrong one: it takes an empty answer of a server for a run without a
    place. There is no public function to forget it. Search words: "mlflow _artifact_repos_cache".
    """
    tracking_utils._artifact_repos_cache.pop(run_id, None)


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
