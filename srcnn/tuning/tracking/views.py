"""Shared views of MLflow's page of runs: the trials of a search, its confirmations, and all searches side by side.

A view is the state of the page: filter, order, columns, groups and charts. It is kept as a tag of the experiment, so its address
opens it without a click, also for other people. The driver of a search writes the views when the search starts and when it ends
(`save_views`). Writing them again changes nothing.

A search has the views ``trials`` and ``confirmations``. The view ``searches`` is common to all searches of a store.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import mlflow
import requests
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import ConfigError, SearchError, unknown_name
from srcnn.tuning.adapters.mlflow_internals import SHARED_VIEW, packed_view, runs_address, shows_views, view_created
from srcnn.tuning.space.parameter import Categorical
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store, parent_named, parent_runs, reading
from srcnn.tuning.tracking.view_states import (
    CONFIRMATIONS,
    SEARCHES,
    TRIALS,
    VIEWS,
    confirmations_state,
    rows,
    searches_state,
    trials_state,
)

__all__ = ["UI", "address", "newest_address", "path_of", "save_views", "varying"]

UI = "http://127.0.0.1:5000"  #: default address of ``mlflow ui`` for a local store

_log = logging.getLogger(__name__)
_MOST_VIEWS = 200  # of the newest hundred searches; of older ones, `address` leads to a plain table
_PATIENCE = 5.0  # seconds to wait for a server's version


def address(uri: str, search: str, *, view: str = TRIALS, ui: str = UI) -> str:
    """Return the address of a view of a search in MLflow's web pages.

    If the version of MLflow is one whose pages were not tested with shared views, or the search wrote none, it is the address of
    a plain table of the same runs, filtered and sorted alike. For a run of a paper's table, it is that of all its trainings.

    Args:
        uri: address of the store.
        search: name of the search.
        view: one of `srcnn.tuning.tracking.view_states.VIEWS`.
        ui: address of MLflow's web pages; if the store is a server, that of the server is used.

    Raises:
        SearchError: the store cannot be read, or has no such search.
        ConfigError: there is no such view.
    """
    if view not in VIEWS:
        raise ConfigError(unknown_name("view", view, VIEWS))
    client = open_store(uri)
    with reading(uri):
        parent = parent_named(parent_runs(client), search, uri)
        experiment = client.get_experiment(parent.info.experiment_id)
    return _address(uri, experiment, parent, view, ui)


def newest_address(uri: str, *, ui: str = UI) -> str:
    """Return the address of the trials of the newest search; without a search, that of the start page.

    Raises:
        SearchError: the store exists and cannot be read.
    """
    pages = (uri if uri.startswith("http") else ui).rstrip("/")
    try:
        client = open_store(uri)
    except SearchError:
        return pages
    with reading(uri):
        parents = [r for r in parent_runs(client) if r.data.tags.get(names.TAG_KIND) != names.KIND_TABLE]
        if not parents:
            return pages
        experiment = client.get_experiment(parents[0].info.experiment_id)
    return _address(uri, experiment, parents[0], TRIALS, ui)


def _address(uri: str, experiment: Experiment, parent: Run, view: str, ui: str) -> str:
    pages = (uri if uri.startswith("http") else ui).rstrip("/")
    key = _key(parent.data.tags.get(names.TAG_SEARCH, ""), view)
    if f"{SHARED_VIEW}{key}" in experiment.tags and shows_views(_version(uri)):
        return path_of(pages, experiment.experiment_id, parent.data.tags[names.TAG_SEARCH], view)
    query, order = rows(view, parent.info.run_id)
    if parent.data.tags.get(names.TAG_KIND) == names.KIND_TABLE and view != SEARCHES:
        query = f"tags.`{names.TAG_PARENT_RUN}` = '{parent.info.run_id}'"
    return runs_address(pages, experiment.experiment_id, query=query, order=order)


def path_of(ui: str, experiment_id: str, search: str, view: str = TRIALS) -> str:
    """Return the address of a view that exists, without looking into the store. With an empty ``ui``, it is relative."""
    return runs_address(ui, experiment_id, view=_key(search, view))


def _version(uri: str) -> str:
    """Return the version of the MLflow that shows a store; empty: it does not answer."""
    if not uri.startswith("http"):
        return str(mlflow.__version__)  # ``mlflow ui`` of this environment
    try:
        return requests.get(f"{uri.rstrip('/')}/version", timeout=_PATIENCE).text.strip()
    except requests.RequestException:
        return ""


def _key(search: str, view: str) -> str:
    return f"srcnn-{SEARCHES}" if view == SEARCHES else f"{search}-{view}"


def varying(space: Space) -> list[str]:
    """Return the parameters of a space that can have more than one value, without the scale."""
    return [
        name
        for name, parameter in space.parameters.items()
        if name != names.PARAM_SCALE
        and (len(parameter.choices) > 1 if isinstance(parameter, Categorical) else parameter.low < parameter.high)
    ]


def save_views(
    client: MlflowClient,
    experiment_id: str,
    search: str,
    parent_id: str,
    *,
    params: Sequence[str],
    scales: Sequence[int],
    created: int,
) -> None:
    """Write the views of a search to its experiment. If the store refuses them, a warning is logged, and nothing else happens.

    Args:
        client: client of the store.
        experiment_id: id of the experiment.
        search: name of the search.
        parent_id: id of the search's own run.
        params: parameters that vary, without the scale.
        scales: scales of the search.
        created: start of the search, in milliseconds since 1970.
    """
    states = {
        TRIALS: (f"{search}: trials", trials_state(parent_id, params, scales)),
        CONFIRMATIONS: (f"{search}: confirmations", confirmations_state(parent_id, params)),
        SEARCHES: ("all searches", searches_state()),
    }
    try:
        there = dict(client.get_experiment(experiment_id).tags)
        for view, (title, state) in states.items():
            tag = f"{SHARED_VIEW}{_key(search, view)}"
            text = packed_view(title, state, 0 if view == SEARCHES else created)
            if there.get(tag) != text:
                client.set_experiment_tag(experiment_id, tag, text)
                there[tag] = text
        for tag in _old(there):
            client.delete_experiment_tag(experiment_id, tag)
    except (MlflowException, requests.RequestException, OSError) as error:
        _log.warning("MLflow shows a plain table of the search, not its view: %s", str(error).splitlines()[0])


def _old(tags: Mapping[str, str]) -> list[str]:
    """Return the tags with views of all but the newest searches: every page of the experiment loads all of its tags."""
    ends = tuple(_key("", view) for view in (TRIALS, CONFIRMATIONS))
    ours = [tag for tag in tags if tag.startswith(SHARED_VIEW) and tag.endswith(ends)]
    return sorted(ours, key=lambda tag: view_created(tags[tag]), reverse=True)[_MOST_VIEWS:]
