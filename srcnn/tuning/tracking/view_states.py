"""States of MLflow's page of runs, as its shared views keep them: filter, order, columns, groups and charts.

The words are those of MLflow 3.17, whose pages write such states when a person shares a view. Titles of charts are the names of
their metrics and parameters: these pages ignore others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from srcnn.tuning.tracking import names

__all__ = [
    "CONFIRMATIONS",
    "SCALES",
    "SEARCHES",
    "TRIALS",
    "VIEWS",
    "confirmations_state",
    "rows",
    "searches_state",
    "trials_state",
]

SCALES = (2, 3, 4)  #: scales that a search can have
VIEWS = (TRIALS, CONFIRMATIONS, SEARCHES) = ("trials", "confirmations", "searches")  #: names of the views

_MOST_RUNS = 1000  # runs in a chart
_SHOWN, _OTHERS = "shown", "others"  # ids of the sections of charts
_COLUMNS, _HEIGHT = 2, 340  # charts side by side, and height of a chart in pixels


def rows(view: str, parent_id: str) -> tuple[str, str]:
    """Return the filter of a view's runs and the column that sorts them, the highest value first.

    Args:
        view: one of `VIEWS`.
        parent_id: id of the search's own run; not used by the view of all searches.
    """
    mine = f"tags.`{names.TAG_PARENT_RUN}` = '{parent_id}' and tags.`{names.TAG_STAGE}`"
    gain = f"metrics.`{names.METRIC_BEST_VAL_GAIN}`"
    if view == TRIALS:
        return f"{mine} = 'search'", gain
    if view == CONFIRMATIONS:
        return f"{mine} != 'search'", gain
    # Runs of a paper's table have no sampler.
    searches = f"tags.`{names.TAG_TRIAL}` = '{names.PARENT}' and params.`{names.PARAM_SAMPLER}` != ''"
    return searches, "attributes.start_time"


def trials_state(parent_id: str, params: Sequence[str], scales: Sequence[int]) -> dict[str, Any]:
    """Return the state that compares the trials of a search.

    Args:
        parent_id: id of the search's own run.
        params: parameters that vary, without the scale.
        scales: scales of the search.
    """
    gain = names.METRIC_BEST_VAL_GAIN
    several = [names.PARAM_SCALE] if len(scales) > 1 else []
    costs = (names.METRIC_TRAIN_SECONDS, names.METRIC_MACS)
    rate = [_scatter(_param(names.PARAM_LEARNING_RATE), gain)] if names.PARAM_LEARNING_RATE in params else []
    charts = [
        _line(names.METRIC_VAL_GAIN),
        _chart("PARALLEL", selectedParams=[*several, *params], selectedMetrics=[gain], showAllRuns=True),
        *rate,
        *(_scatter(_metric(cost), gain) for cost in costs),
    ]
    columns = [
        _column("metrics", gain),
        *(_column("params", name) for name in (*several, *params)),
        _column("tags", names.TAG_OUTCOME),
        _column("metrics", names.METRIC_TRAIN_SECONDS),
    ]
    # Gains at different scales do not compare. The rows are grouped, and the charts show single trials all the same.
    group = _group("max", "param", names.PARAM_SCALE) if several else {}
    return {**_state(*rows(TRIALS, parent_id), columns, charts), **group, "useGroupedValuesInCharts": False}


def confirmations_state(parent_id: str, params: Sequence[str]) -> dict[str, Any]:
    """Return the state that compares the confirmed configurations of a search, with the same arguments as `trials_state`."""
    gain = names.METRIC_BEST_VAL_GAIN
    charts = [_chart("BAR", metricKey=gain), _line(names.METRIC_VAL_GAIN)]
    columns = [
        _column("metrics", gain),
        *(_column("params", name) for name in (names.PARAM_SCALE, *params, names.PARAM_SEED)),
        *(_column("tags", name) for name in (names.TAG_STAGE, names.TAG_REFERENCE, names.TAG_OUTCOME)),
        _column("metrics", names.METRIC_TRAIN_SECONDS),
    ]
    # The charts show the mean over the seeds of a configuration.
    return {
        **_state(*rows(CONFIRMATIONS, parent_id), columns, charts),
        **_group("average", "tag", names.TAG_CONFIGURATION),
    }


def searches_state() -> dict[str, Any]:
    """Return the state that compares all searches of a store by their champions, the newest first."""
    gains = [names.champion_metric(scale, names.CHAMPION_GAIN) for scale in SCALES]
    best = [names.best_metric(scale, names.METRIC_VAL_GAIN) for scale in SCALES]
    charts = [*(_chart("BAR", metricKey=metric) for metric in gains), *map(_line, best)]
    settings = (names.PARAM_TRAIN, names.PARAM_TRIALS, names.PARAM_BUDGET, names.PARAM_SAMPLER, names.PARAM_SCHEDULER)
    columns = [
        *(_column("metrics", metric) for metric in (*gains, names.METRIC_TOOK_SECONDS)),
        *(_column("params", name) for name in settings),
    ]
    return _state(*rows(SEARCHES, ""), columns, charts, others=())


def _state(
    query: str,
    order: str,
    columns: Sequence[str],
    charts: Iterable[Mapping[str, Any]],
    others: Iterable[str] = (*names.EPOCH_METRICS.values(), names.METRIC_MACS, names.METRIC_PARAMETERS),
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
    single = (names.METRIC_MACS, names.METRIC_PARAMETERS)  # figures of the whole trial
    rest = [
        {
            **(_chart("BAR", metricKey=metric) if metric in single else _line(metric)),
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


def _chart(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "runsCountToCompare": _MOST_RUNS, "deleted": False, "isGenerated": False, **fields}


def _line(metric: str) -> dict[str, Any]:
    return _chart(
        "LINE",
        metricKey=metric,
        selectedMetricKeys=[metric],
        lineSmoothness=0,
        scaleType="linear",
        xAxisScaleType="linear",
        xAxisKey="step",
        selectedXAxisMetricKey="",
        useGlobalXaxisKey=False,
        useGlobalLineSmoothing=False,
    )


def _scatter(x: Mapping[str, str], metric: str) -> dict[str, Any]:
    return _chart("SCATTER", xaxis=x, yaxis=_metric(metric))


def _group(how: str, kind: str, name: str) -> dict[str, Any]:
    return {"groupBy": {"aggregateFunction": how, "groupByKeys": [{"mode": kind, "groupByData": name}]}}


def _section(key: str, title: str, *, is_open: bool) -> dict[str, Any]:
    fields = {"uuid": key, "name": title, "display": is_open, "isReordered": True, "deleted": False}
    return {**fields, "isGenerated": False, "columns": _COLUMNS, "cardHeight": _HEIGHT}


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _metric(name: str) -> dict[str, str]:
    return {"key": name, "type": "METRIC"}


def _param(name: str) -> dict[str, str]:
    return {"key": name, "type": "PARAM"}
