"""The section ``searches`` of the benchmark: what counts of a search, its figures, and one real, short comparison."""

from __future__ import annotations

import importlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.result import TrialResult
from srcnn.tuning.trials.spec import TrialSpec

from checkout import EXPERIMENTS


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """``module("bench")`` is experiments/bench.py; there are no data sets but the bundled ones."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("SRCNN_DATA", str(tmp_path / "none"))
    return importlib.import_module


@pytest.fixture
def signals() -> Iterator[list[int]]:
    """The signals SIGTERM of this test, which do not end it."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    yield came
    signal.signal(signal.SIGTERM, before)


def spec(kernels: str = "9-1-5", *, reference: bool = False) -> TrialSpec:
    return TrialSpec(TrainConfig(kernels=kernels, filters=(64, 32), scale=3), reference=reference)


def report(epoch: int, gain: float = 0.5, epochs: int = 3) -> TrialReport:
    figures = EpochFigures(gain, best_val_gain=gain, pixels=10.0 * epoch, epoch_seconds=2.0)
    return TrialReport(epoch, epochs, (gain,) * epoch, figures, macs=7.0)


def event(kind: Literal["start", "report", "fault", "end"], trial: str, epoch: int = 0) -> Event:
    return Event(kind, trial, trial, spec(), "search", 9, report(epoch) if epoch else None)


def test_without_a_budget_every_trial_counts_and_the_search_ends_by_itself(module: Any, signals: list[int]) -> None:
    watch = module("_bench.searches").Watch(None)
    for epoch in (1, 1, 2, 2, 3):  # a trial that goes on repeats its last report
        watch(event("report", "a", epoch))
    watch(event("start", "b"))
    watch(event("end", "b"))
    assert (watch.core_seconds, watch.work, watch.begun, signals) == (6.0, 210.0, ["b"], [])
    assert watch.in_time == ["a"]


def test_trials_that_began_within_the_budget_go_on_and_later_ones_do_not_count(module: Any, signals: list[int]) -> None:
    watch = module("_bench.searches").Watch(5.0)
    watch(event("start", "a"))
    watch(event("start", "b"))
    watch(event("report", "a", 1))
    watch(event("report", "b", 1))
    assert not watch.spent
    watch(event("report", "a", 2))
    assert watch.spent
    watch(event("start", "late"))
    watch(event("report", "late", 1))
    watch(event("report", "a", 3))  # its last epoch
    assert not signals  # b is running
    watch(event("end", "b"))  # stopped by the scheduler
    watch(event("end", "a"))
    assert signals == [signal.SIGTERM]  # once
    assert (watch.begun, watch.in_time) == (["a", "b"], [])
    assert (watch.core_seconds, watch.work) == (8.0, 7.0 * (30.0 + 10.0))


def test_a_trial_that_goes_on_after_a_fault_began_when_it_first_began(module: Any, signals: list[int]) -> None:
    watch = module("_bench.searches").Watch(2.0)
    watch(event("start", "a"))
    watch(event("report", "a", 1))
    watch(event("fault", "a"))
    watch(event("start", "a"))
    watch(event("report", "a", 2))
    assert (watch.begun, watch.core_seconds, signals) == (["a"], 4.0, [])


def test_the_winner_is_the_best_of_the_finished_trials_that_count(module: Any) -> None:
    rows = [
        TrialResult("late", spec("9-5-5"), Outcome.FINISHED, report(3, 0.9)),
        TrialResult("stopped", spec("9-3-5"), Outcome.STOPPED, report(1, 0.8)),
        TrialResult("paper", spec(reference=True), Outcome.FINISHED, report(3, 0.5)),
        TrialResult("best", spec("11-1-7"), Outcome.FINISHED, report(3, 0.6)),
        TrialResult("cut", spec("9-5-5"), Outcome.INTERRUPTED),
    ]
    found = module("_bench.searches").outcome(rows, ["paper", "stopped", "best", "cut"], ["paper"])
    assert (found["winner_is_reference"], found["overtime_winner"]) == (True, "11-1-7 (64-32) lr 5.0e-04")
    found = module("_bench.searches").outcome(rows, ["paper", "stopped", "best", "cut"], ["paper", "best"])
    assert (found["winner_val_gain"], found["reference_val_gain"], found["finished"]) == (0.6, 0.5, 2)
    assert not found["winner_is_reference"]
    assert found["config"]["kernels"] == [11, 1, 7]
    assert found["sampled"] == ["9-3-5 (64-32)", "11-1-7 (64-32)", "9-5-5 (64-32)"]
    assert [line.partition(": ")[2] for line in found["trials"]] == [
        "finished, 3 epochs, 0.500 dB",
        "stopped, 1 epochs, 0.800 dB",
        "finished, 3 epochs, 0.600 dB",
        "interrupted, 0 epochs, nan dB",
    ]


def search(method: str, seed: int, lead: float | None, sampled: str, **fields: Any) -> dict[str, Any]:
    found = {"data": "T91", "scale": 3, "method": method, "seed": seed, "sampled": sampled.split(), "trials": ["t"] * 5}
    found |= {"core_seconds": 12.0, "budget_core_seconds": 10.0, "giga_macs": 4.0, "finished": 2, "finished_in_time": 1}
    found |= {
        "winner_is_reference": lead == 0,
        **({} if lead is None else {"lead": lead, "overtime_lead": lead + 0.1}),
        **fields,
    }
    return found


def test_figures_are_means_over_searches_with_their_intervals(module: Any) -> None:
    own = {"budget_core_seconds": None, "giga_macs": 5.0}
    searches = {
        "1": search("ours", 1, 0.3, "A B C A", **own),
        "2": search("random+asha", 1, 0.1, "A B"),
        "3": search("ours", 2, 0.1, "A A", **own),
        "4": search("random+asha", 2, 0.0, "A B"),
        "5": search("ours", 3, None, "A B C D E", **own),  # not yet measured
    }
    ours, other = module("_bench.searches_table").figures(searches)
    assert (ours["where"], ours["method"], ours["n"]) == ("T91 x3", "ours", 2)
    # Student's t with one degree of freedom is 12.706; the standard error of 0.3 and 0.1 is 0.1.
    assert ours["lead_db"] == pytest.approx({"mean": 0.2, "low": 0.2 - 1.2706, "high": 0.2 + 1.2706}, abs=1e-4)
    assert ours["overtime_lead_db"]["mean"] == pytest.approx(0.3)
    assert (other["overtime_over"]["ours"]["mean"], other["finished_in_time"]) == pytest.approx((-0.15, 1.0))
    assert other["over"]["ours"]["mean"] == pytest.approx(-0.15)
    assert (ours["architectures_mean"], ours["architectures_min"]) == (2.0, 1)
    assert (ours["most_of_one_architecture_mean"], ours["most_of_one_architecture_max"]) == (2.0, 2)
    assert (ours["share_of_core_seconds"], other["share_of_core_seconds"]) == pytest.approx((1.0, 1.2))
    assert other["share_of_macs"] == pytest.approx(0.8)
    assert (ours["winner_is_reference"], other["winner_is_reference"]) == (0, 1)


def test_architectures_are_counted_over_as_many_trials_for_every_method(module: Any) -> None:
    many = " ".join(f"A{i}" for i in range(40))
    (row,) = module("_bench.searches_table").figures({"1": search("ours", 1, 0.1, many)})
    assert (row["architectures_mean"], row["sampled_counted"]) == (16.0, 16)


class NoCluster:
    """In place of the connection to Ray, so that nothing can run."""

    def __init__(self, address: str | None) -> None:
        """There is none."""

    def __enter__(self) -> NoCluster:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was started."""

    def wait(self) -> None:
        """It is there at once."""


@pytest.mark.slow
def test_a_real_comparison_is_kept_and_not_repeated(
    module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "searches.json"
    assert module("bench").main(["searches", "--quick", "--json", str(file)]) == 0
    out = capsys.readouterr().out
    assert "searches with the same core-seconds" in out
    kept = json.loads(file.read_text(encoding="utf-8"))
    result, about = kept["searches"], kept["provenance"]["searches"]
    assert next(one["method"] for one in result["searches"].values()) == "ours"
    assert {one["method"] for one in result["searches"].values()} == {"ours", "random+asha"}
    budget = next(iter(result["searches"].values()))["core_seconds"]
    for one in result["searches"].values():
        assert one["core_seconds"] >= budget or len(one["trials"]) == result["limit"]
        assert one["winner_val_gain"] >= one["reference_val_gain"]
        assert one["sampled"]
    for row in result["figures"]:
        assert row["n"] == 1
    assert all(len(gains) == len(result["fresh_seeds"]) for gains in result["measured"].values())
    assert result["note"] == about["n"]
    assert "seeds of a complete comparison were not reached" in result["note"]
    assert about["seed"] == [33]
    monkeypatch.setattr("srcnn.tuning.driver.cluster.Cluster", NoCluster)
    assert module("bench").main(["searches", "--quick", "--json", str(file)]) == 0
    again = json.loads(file.read_text(encoding="utf-8"))["searches"]
    assert again["searches"] == result["searches"]


def test_a_wrong_budget_is_one_line(module: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert module("bench").main(["searches", "--budget", "much"]) == 2
    assert capsys.readouterr().err.startswith("error: --budget: must be a number of training pixels such as 8M")
