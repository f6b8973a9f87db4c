"""States of MLflow's page of runs; `test_views_browser` opens them."""

from __future__ import annotations

from srcnn.tuning.tracking import view_states


def test_the_view_of_the_trials_compares_what_varies() -> None:
    state = view_states.trials_state("ab", ("n1", "learning_rate"), (2, 3))
    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'ab' and tags.`stage` = 'search'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`best/val_gain`", False)
    assert state["selectedColumns"] == [
        "metrics.`best/val_gain`",
        "params.`scale`",
        "params.`n1`",
        "params.`learning_rate`",
        "tags.`outcome`",
        "metrics.`train_seconds`",
    ]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "scale"}]
    shown = [chart for chart in state["compareRunCharts"] if chart["metricSectionId"] == "shown"]
    assert [chart["type"] for chart in shown] == ["LINE", "PARALLEL", "SCATTER", "SCATTER", "SCATTER"]
    assert shown[1]["selectedParams"] == ["scale", "n1", "learning_rate"]
    assert state["useGroupedValuesInCharts"] is False  # single trials


def test_a_fixed_rate_and_a_single_scale_have_no_chart_and_no_column() -> None:
    state = view_states.trials_state("ab", ("n1",), (3,))
    assert "params.`scale`" not in state["selectedColumns"] and "groupBy" not in state
    axes = [chart["xaxis"]["key"] for chart in state["compareRunCharts"] if chart["type"] == "SCATTER"]
    assert axes == ["train_seconds", "macs"]


def test_confirmations_are_grouped_by_configuration_and_charts_show_means() -> None:
    state = view_states.confirmations_state("ab", ("n1",))
    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'ab' and tags.`stage` != 'search'"
    assert state["groupBy"] == {
        "aggregateFunction": "average",
        "groupByKeys": [{"mode": "tag", "groupByData": "srcnn.configuration"}],
    }
    assert "params.`seed`" in state["selectedColumns"] and "useGroupedValuesInCharts" not in state


def test_each_chart_is_in_a_section_and_each_metric_of_an_epoch_has_one() -> None:
    state = view_states.trials_state("ab", ("n1",), (3,))
    sections = {one["uuid"]: one["display"] for one in state["compareRunSections"]}
    assert sections == {"shown": True, "others": False}
    charts = state["compareRunCharts"]
    assert {chart["metricSectionId"] for chart in charts} == set(sections)
    assert len({chart["uuid"] for chart in charts}) == len(charts)
    lines = [chart["metricKey"] for chart in charts if chart["type"] == "LINE"]
    assert lines[0] == "val_gain" and {"loss", "best/val_gain", "learning_rate"} <= set(lines)


def test_searches_are_compared_by_their_champions() -> None:
    state = view_states.searches_state()
    keys = [chart["metricKey"] for chart in state["compareRunCharts"]]
    assert keys[:3] == ["champion/x2/gain", "champion/x3/gain", "champion/x4/gain"]
    assert state["orderByKey"] == "attributes.start_time"
