"""Shared views of MLflow's page of runs: the trials of a search, its confirmations, and all searches side by side.

A view is the state of the page: filter, order, columns, groups and charts. It is kept as a tag of the experiment, so its address
opens it without a click, also for other people. The driver of a search writes the views when the search starts and when it ends
(`save_views`). Writing them again changes nothing.

A search has the views ``trials`` and ``confirmations``. The view ``searches`` is common to all searches of a store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import mlflow
import requests
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from srcnn.errors import ConfigError, SearchError, unknown_name
from srcnn.tuning.adapters.mlflow_internals import SHARED_VIEW, packed_view, runs_address, shows_views
from srcnn.tuning.space.parameter import Categorical
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking import names
from srcnn.tuning.tracking.reader import open_store, parent_named, parent_runs, reading

__all__ = ["UI", "VIEWS", "address", "newest_address", "path_of", "save_views", "varying"]

UI = "http://127.0.0.1:5000"  #: default address of ``mlflow ui`` for a local store
VIEWS = (TRIALS, CONFIRMATIONS, SEARCHES) = ("trials", "confirmations", "searches")  #: names of the views

_log = logging.getLogger(__name__)
_MOST_RUNS = 1000  # runs in a chart
_PATIENCE = 5.0  # seconds to wait for a server's version
_SHOWN, _OTHERS = "shown", "others"  # ids of the sections of charts


def address(uri: str, search: str, *, view: str = TRIALS, ui: str = UI) -> str:
    """Return the address of a view of a search in MLflow's web pages.

    If the version of MLflow is one whose pages were not tested with shared views, or the search wrote none, it is the address of
    a plain table of the same runs, filtered and sorted alike.

    Args:
        uri: address of the store.
        search: name of the search.
        view: one of `VIEWS`.
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
    query, order = _rows(view, parent.info.run_id)
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


def _rows(view: str, parent_id: str) -> tuple[str, str]:
    """Return the filter of a view's runs and the column that sorts them, the highest value first."""
    mine = f"tags.`{names.TAG_PARENT_RUN}` = '{parent_id}' and tags.`{names.TAG_STAGE}`"
    gain = f"metrics.`{names.METRIC_BEST_VAL_GAIN}`"
    if view == TRIALS:
        return f"{mine} = 'search'", gain
    if view == CONFIRMATIONS:
        return f"{mine} != 'search'", gain
    return f"tags.`{names.TAG_TRIAL}` = '{names.PARENT}'", "attributes.start_time"


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
        TRIALS: (f"{search}: trials", _trials(parent_id, params, scales)),
        CONFIRMATIONS: (f"{search}: confirmations", _confirmations(parent_id, params)),
        SEARCHES: ("all searches", _searches()),
    }
    try:
        there = client.get_experiment(experiment_id).tags
        for view, (title, state) in states.items():
            tag = f"{SHARED_VIEW}{_key(search, view)}"
            text = packed_view(title, state, 0 if view == SEARCHES else created)
            if there.get(tag) != text:
                client.set_experiment_tag(experiment_id, tag, text)
    except (MlflowException, requests.RequestException, OSError) as error:
        _log.warning("MLflow shows a plain table of the search, not its view: %s", str(error).splitlines()[0])


def _trials(parent_id: str, params: Sequence[str], scales: Sequence[int]) -> dict[str, Any]:
    gain = names.METRIC_BEST_VAL_GAIN
    several = [names.PARAM_SCALE] if len(scales) > 1 else []
    cost = {"xaxis": _metric(names.METRIC_TRAIN_SECONDS), "yaxis": _metric(gain)}
    charts = [
        _chart(
            "LINE", "gain over bicubic by epoch (dB)", metricKey=names.METRIC_VAL_GAIN, **_line(names.METRIC_VAL_GAIN)
        ),
        _chart(
            "PARALLEL",
            "what varies, and the best gain (dB)",
            selectedParams=[*several, *params],
            selectedMetrics=[gain],
            showAllRuns=True,
        ),
    ]
    if names.PARAM_LEARNING_RATE in params:
        charts.append(
            _chart(
                "SCATTER",
                "best gain (dB) by learning rate",
                xaxis=_param(names.PARAM_LEARNING_RATE),
                yaxis=_metric(gain),
            )
        )
    charts += [
        _chart("SCATTER", "best gain (dB) by training time (s)", **cost),
        _chart("SCATTER", "best gain (dB) by cost of the network (operations per pixel)", **_by_macs(gain)),
    ]
    columns = [
        _column("metrics", gain),
        _column("metrics", names.METRIC_TRAIN_SECONDS),
        *(_column("params", name) for name in (*several, *params)),
        _column("tags", names.TAG_OUTCOME),
    ]
    return _state(*_rows(TRIALS, parent_id), columns, charts)


def _confirmations(parent_id: str, params: Sequence[str]) -> dict[str, Any]:
    gain = names.METRIC_BEST_VAL_GAIN
    charts = [
        _chart("BAR", "best gain over bicubic, mean over seeds (dB)", metricKey=gain),
        _chart(
            "LINE", "gain over bicubic by epoch (dB)", metricKey=names.METRIC_VAL_GAIN, **_line(names.METRIC_VAL_GAIN)
        ),
    ]
    columns = [
        _column("metrics", gain),
        _column("metrics", names.METRIC_TRAIN_SECONDS),
        *(_column("params", name) for name in (names.PARAM_SCALE, *params, names.PARAM_SEED)),
        *(_column("tags", name) for name in (names.TAG_STAGE, names.TAG_REFERENCE, names.TAG_OUTCOME)),
    ]
    group = {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "tag", "groupByData": names.TAG_CONFIGURATION}],
    }
    return {**_state(*_rows(CONFIRMATIONS, parent_id), columns, charts), "groupBy": group}


def _searches() -> dict[str, Any]:
    gains = [names.champion_metric(scale, names.CHAMPION_GAIN) for scale in (2, 3, 4)]
    found = [names.best_metric(scale, names.METRIC_VAL_GAIN) for scale in (2, 3, 4)]
    charts = [
        _chart("BAR", f"gain of the champion of x{scale} on judging images (dB), newest search first", metricKey=metric)
        for scale, metric in zip((2, 3, 4), gains, strict=True)
    ]
    charts += [
        _chart("LINE", f"best gain of x{scale} so far (dB), by trials that ended", metricKey=metric, **_line(metric))
        for scale, metric in zip((2, 3, 4), found, strict=True)
    ]
    settings = (names.PARAM_TRAIN, names.PARAM_TRIALS, names.PARAM_BUDGET, names.PARAM_SAMPLER, names.PARAM_SCHEDULER)
    columns = [
        *(_column("metrics", metric) for metric in (*gains, names.METRIC_TOOK_SECONDS)),
        *(_column("params", name) for name in settings),
    ]
    return _state(*_rows(SEARCHES, ""), columns, charts, others=())


def _state(
    query: str,
    order: str,
    columns: Sequence[str],
    charts: Iterable[Mapping[str, Any]],
    others: Iterable[str] = tuple(names.EPOCH_METRICS.values()),
) -> dict[str, Any]:
    """Return the state of the page.

    Args:
        query: filter of the runs.
        order: column that sorts them, the highest value first.
        columns: columns of the table.
        charts: charts that are shown.
        others: metrics whose charts are in a section that is closed.
    """
    shown = [{**chart, "uuid": f"{_SHOWN}-{place}", "metricSectionId": _SHOWN} for place, chart in enumerate(charts)]
    there = {chart.get("metricKey") for chart in shown}
    rest = [
        {
            **_chart("LINE", "", metricKey=metric, **_line(metric)),
            "uuid": f"{_OTHERS}-{metric}",
            "metricSectionId": _OTHERS,
        }
        for metric in others
        if metric not in there
    ]
    # The page adds a chart for every metric that has none. Sections keep their order only if they count as reordered.
    return {
        "searchFilter": query,
        "orderByKey": order,
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [*shown, *rest],
        "compareRunSections": [
            _section(_SHOWN, "Comparison", is_open=True),
            *([_section(_OTHERS, "Other figures", is_open=False)] if rest else []),
        ],
        "isAccordionReordered": True,
    }


def _chart(kind: str, title: str, **fields: Any) -> dict[str, Any]:
    named = {"displayName": title} if title else {}
    return {
        "type": kind,
        "runsCountToCompare": _MOST_RUNS,
        "deleted": False,
        "isGenerated": False,
        **named,
        **fields,
    }


def _line(metric: str) -> dict[str, Any]:
    return {
        "selectedMetricKeys": [metric],
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "useGlobalXaxisKey": False,
        "useGlobalLineSmoothing": False,
    }


def _by_macs(gain: str) -> dict[str, Any]:
    return {"xaxis": _metric(names.METRIC_MACS), "yaxis": _metric(gain)}


def _section(key: str, title: str, *, is_open: bool) -> dict[str, Any]:
    return {"uuid": key, "name": title, "display": is_open, "isReordered": True, "deleted": False, "isGenerated": False}


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _metric(name: str) -> dict[str, str]:
    return {"key": name, "type": "METRIC"}


def _param(name: str) -> dict[str, str]:
    return {"key": name, "type": "PARAM"}
