"""The progress of a search: a line for every trial that ended or was restarted."""

from __future__ import annotations

import re
from io import StringIO
from typing import Literal

from rich.console import Console

from srcnn.commands.monitor import Monitor
from srcnn.config.training import TrainConfig
from srcnn.tuning.driver.events import Event
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

REPORT = TrialReport(2, 9, (0.5,), EpochFigures(0.5, best_val_gain=1.25, train_seconds=7.0))
SPEC = TrialSpec(TrainConfig(epochs=1))


def event(
    kind: Literal["start", "report", "fault", "end"],
    trial: str,
    outcome: Outcome | None = None,
    *,
    failure: str = "",
    stage: str = "search",
    trials: int = 3,
) -> Event:
    return Event(kind, trial, f"name {trial}", SPEC, stage, trials, REPORT, outcome, failure)


def lines(*events: Event) -> list[str]:
    text = StringIO()
    monitor = Monitor(Console(file=text, width=200), 3)
    for one in events:
        monitor(one)
    return text.getvalue().splitlines()


def test_a_line_for_every_end_and_fault() -> None:
    said = lines(
        event("start", "a"),
        event("report", "a"),
        event("fault", "a", failure="the worker died"),
        event("start", "a"),
        event("end", "a", Outcome.FINISHED),
        event("start", "b"),
        event("end", "b", Outcome.STOPPED),
        event("start", "c"),
        event("end", "c", Outcome.FAILED, failure="DeadNetworkError: dead"),
    )
    assert len(said) == 4
    assert re.fullmatch(r" +0 s  name a +restarted: the worker died", said[0])
    assert re.fullmatch(r"  1/3 +0 s  name a +finished +gain \+1\.25 dB, 7 s", said[1])
    assert re.fullmatch(r"  2/3 +0 s  name b +stopped +gain \+1\.25 dB, 7 s, stopped at 2/9", said[2])
    assert re.fullmatch(r"  3/3 +0 s  name c +failed +DeadNetworkError: dead", said[3])


def test_another_stage_begins_with_its_name_and_counts_anew() -> None:
    said = lines(
        event("start", "a"),
        event("end", "a", Outcome.FINISHED),
        event("start", "b", stage="confirm", trials=2),
        event("end", "b", Outcome.FINISHED, stage="confirm", trials=2),
    )
    assert said[1] == "the best configurations again with new seeds, to choose among them:"
    assert said[2].startswith("  1/2 ")
