"""A report says the same after Ray Tune has carried it, and how a trial ended."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from srcnn.tuning.trials.objective import FAILED, METRIC, OBJECTIVES
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport

FIGURES = EpochFigures(0.75, 0.8, 2, 31.5, 1.6, 31.4, 1.5, 1e-4, 5e-4, 3e6, 1.5, 2.0)
REPORT = TrialReport(3, 9, (0.7, 0.8, 0.75), FIGURES, macs=8032.0, parameters=8129, device="cuda 3", node="ab12")


def test_nothing_is_lost_and_what_tune_adds_is_passed_over() -> None:
    carried = {**json.loads(json.dumps(REPORT.to_json())), "training_iteration": 3, "trial_id": "x", "config": {}}
    assert TrialReport.from_json(carried) == REPORT
    assert TrialReport.from_json({**carried, "time_total_s": 6.5}).seconds == 6.5
    assert TrialReport.last_of(carried) == REPORT
    assert TrialReport.last_of({}) is None and TrialReport.last_of(None) is None


def test_what_schedulers_read_lies_on_top() -> None:
    told = REPORT.to_json()
    assert told[METRIC] == 0.75 and told["epoch"] == 3 and told["epochs"] == 9
    assert "failure" not in told and "latency_ms" not in told
    for name, objective in OBJECTIVES.items():
        if name != "latency":
            assert float(told[objective.metric]) == REPORT.values[name]


def test_a_failed_trial_reports_a_finite_figure_below_all_others() -> None:
    failed = TrialReport(4, 9, (0.7, 0.8, 0.75), None, failure="DivergenceError: loss is nan")
    told = failed.to_json()
    assert told[METRIC] == FAILED and math.isfinite(told[METRIC])
    assert TrialReport.from_json(told) == failed
    assert failed.failed and failed.outcome is Outcome.FAILED and failed.values == {}


@pytest.mark.parametrize(("epoch", "outcome"), [(3, Outcome.STOPPED), (9, Outcome.FINISHED)])
def test_the_last_report_says_how_a_trial_ended(epoch: int, outcome: Outcome) -> None:
    assert TrialReport(epoch, 9, (0.5,) * epoch, FIGURES).outcome is outcome


def test_figures_that_were_not_measured_are_not_known() -> None:
    assert EpochFigures(0.5).known == {METRIC: 0.5, "best_epoch": 0}
    assert EpochFigures.from_json({METRIC: 0.5, "pixels": 3.0, "other": 1}).pixels == 3.0
    assert TrialReport(1, 9, (0.5,), EpochFigures(0.5)).values == {}


def test_an_epoch_costs_its_processor_time_where_that_is_known() -> None:
    assert EpochFigures(0.5).cost_seconds == 0.0
    assert EpochFigures(0.5, epoch_seconds=3.0).cost_seconds == 3.0
    assert EpochFigures(0.5, epoch_seconds=3.0, cpu_seconds=2.0).cost_seconds == 2.0
    assert "cpu_seconds" not in EpochFigures(0.5, epoch_seconds=3.0).to_json()


def test_the_lead_on_drawn_patterns_is_known_only_where_it_was_measured() -> None:
    assert "pattern_lead" not in REPORT.to_json()  # as in the report of an earlier search
    assert TrialReport.from_json(REPORT.to_json()).pattern_lead is None
    for lead in (0.0, -7.9):
        assert TrialReport.from_json(replace(REPORT, pattern_lead=lead).to_json()).pattern_lead == lead
