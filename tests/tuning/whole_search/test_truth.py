"""What a search tells Optuna, MLflow and its user is what Tune saw: real searches on one Ray, a real store."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune import ExperimentAnalysis

from srcnn.errors import SearchError
from srcnn.tuning.algorithms.early_stopping import EPOCHS, GRACE
from srcnn.tuning.algorithms.study_searcher import load_study
from srcnn.tuning.planning.plan import plan_search
from srcnn.tuning.planning.settings import load_settings
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.spec import TrialSpec
from srcnn.tuning.whole_search.run import FAILURES, run_search

from one_ray import one_ray
from small_search import children, settings

__all__ = ["one_ray"]


@pytest.fixture(autouse=True)
def _stored(with_store: Path) -> None:
    """Every search here writes into a store that has its tables."""


@pytest.mark.parametrize(
    ("scheduler", "stopped"), [pytest.param("freeze-thaw", 0, marks=pytest.mark.slow), ("asha", 3)]
)
def test_optuna_and_mlflow_know_of_every_trial_what_tune_knows(workplace: Path, scheduler: str, stopped: int) -> None:
    result = run_search(plan_search(settings("truth", trials=16, scales=(3,), scheduler=scheduler)))
    assert (
        result.count(Outcome.STOPPED) >= stopped
    )  # few wait at the end where epochs are shorter than a process takes to start
    assert result.count(Outcome.FINISHED) >= 2
    folder = workplace / "mlruns" / "ray" / "truth"
    told = {t.user_attrs["trial_id"]: t for t in load_study(folder).trials if "trial_id" in t.user_attrs}
    seen = {trial.trial_id: trial for trial in ExperimentAnalysis(str(folder)).trials}
    client, _, runs = children("truth")
    logged = {run.data.tags["srcnn.trial"]: run for run in runs}
    assert told.keys() == seen.keys() == logged.keys()
    for trial_id, trial in seen.items():
        last, ours = trial.last_result, told[trial_id]
        assert ours.intermediate_values == dict(enumerate(last["curve"], start=1))
        assert ours.params == TrialSpec.from_tune(trial.config).params
        if last["epoch"] == EPOCHS:
            assert ours.state == TrialState.COMPLETE
            assert ours.value == max(last["curve"])
        else:
            assert ours.state == TrialState.PRUNED
            assert GRACE <= last["epoch"] < EPOCHS
        steps = client.get_metric_history(logged[trial_id].info.run_id, "objective")
        assert [metric.value for metric in sorted(steps, key=lambda m: m.step)] == pytest.approx(last["curve"])
    assert all(t.state.is_finished() for t in load_study(folder).trials)
    # No configuration ran twice.
    assert len({str(sorted(t.params.items())) for t in told.values()}) == len(told)


@pytest.mark.slow
def test_several_objectives_give_a_front(workplace: Path) -> None:
    (workplace / "test").rename(workplace / "a test+")  # a name that MLflow would refuse in a metric's
    odd = {"test": (str(workplace / "a test+"),), "objectives": ("gain", "macs", "latency"), "max_concurrent": 1}
    result = run_search(plan_search(settings("front", trials=6, scales=(2,), **odd)))
    assert result.count(Outcome.FINISHED) == 6
    assert all(row.values["latency"] > 0 for row in result.rows)
    client, parent, runs = children("front")
    assert all(any(name.endswith("a test_/x2/psnr") for name in run.data.metrics) for run in runs)
    board = Path(client.download_artifacts(parent.info.run_id, "pareto.csv")).read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(board)))
    assert 1 <= len(lines) <= 6
    assert max(float(line["gain"]) for line in lines) == pytest.approx(
        max(row.values["gain"] for row in result.rows), rel=1e-5
    )
    assert Path(client.download_artifacts(parent.info.run_id, "pareto.png")).stat().st_size > 1000
    study = load_study(workplace / "mlruns" / "ray" / "front")
    assert [t.state for t in study.trials if "trial_id" in t.user_attrs] == [TrialState.COMPLETE] * 6


def test_a_time_budget_ends_a_search_in_good_order(workplace: Path) -> None:
    result = run_search(plan_search(settings("timed", trials=500, budget=2e6, time_budget=6.0)))
    assert 1 <= len(result.rows) < 100
    assert not result.interrupted
    assert {row.outcome for row in result.rows} <= {Outcome.FINISHED, Outcome.STOPPED}
    _, parent, runs = children("timed")
    assert {run.info.status for run in [parent, *runs]} == {"FINISHED"}
    assert all(t.state.is_finished() for t in load_study(workplace / "mlruns" / "ray" / "timed").trials)


def test_a_search_without_time_goes_on_with_more_time_and_trials(workplace: Path) -> None:
    given = {"trials": 2, "scales": (3,), "scheduler": "none", "max_concurrent": 1}
    first = run_search(plan_search(settings("short", time_budget=0.1, **given)))
    assert [row.outcome for row in first.rows] == [
        Outcome.STOPPED
    ]  # one begins in any case, and ends at its first report
    saved = load_settings("short", first.settings.storage, {"trials": 3, "time_budget": 3600.0})
    more = run_search(plan_search(saved), resume=True)
    assert [row.outcome for row in more.rows if row.trial_id == first.rows[0].trial_id] == [Outcome.STOPPED]
    assert len(more.rows) == 3
    assert more.count(Outcome.FINISHED) == 2


def test_a_confirmation_without_time_is_left_out_and_said(workplace: Path) -> None:
    """Its trials have a thousand times the pixels: hours, in a budget of a minute."""
    fields = {"trials": 2, "scales": (3,), "confirm": True, "confirm_budget": 150e6, "time_budget": 60.0}
    result = run_search(plan_search(settings("hurried", **fields)))
    assert len(result.rows) == 2
    assert result.choices == ()
    (note,) = result.notes
    assert note.startswith("time_budget: ") and "there is none" in note
    _, parent, runs = children("hurried")
    assert {run.data.tags["stage"] for run in runs} == {"search"}
    assert note in parent.data.tags["mlflow.note.content"]


def test_ten_failures_of_one_cause_end_a_search(workplace: Path) -> None:
    text = (workplace / "space.yaml").read_text(encoding="utf-8")
    (workplace / "space.yaml").write_text(
        text.replace("low: 2.0e-4, high: 8.0e-4", "low: 1.0e+20, high: 1.0e+30") + "  optimizer: sgd\n",
        encoding="utf-8",
    )
    with pytest.raises(SearchError, match=f"{FAILURES} consecutive trials failed for the same reason.*DivergenceError"):
        run_search(plan_search(settings("hopeless", trials=60)))
    _, parent, runs = children("hopeless")
    assert FAILURES <= len(runs) <= FAILURES + 4
    assert parent.info.status == "FAILED"
    assert all(run.info.status in ("FAILED", "KILLED") for run in runs)
