"""Early stopping: each scale by itself, reference rows never, and a restored search remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from srcnn.config.training import TrainConfig
from srcnn.tuning.algorithms.early_stopping import SCHEDULERS, PerScale
from srcnn.tuning.trials.objective import FAILED, METRIC
from srcnn.tuning.trials.report import EpochFigures, TrialReport
from srcnn.tuning.trials.spec import TrialSpec

EPOCHS = 9
CONTINUE, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP


@dataclass(eq=False)
class Some:
    """What schedulers look at in a trial of Tune."""

    trial_id: str
    config: dict[str, Any]
    last_result: dict[str, Any] = field(default_factory=dict)
    status: str = Trial.RUNNING


@dataclass
class Controller:
    """What they look at in Tune."""

    live: list[Some] = field(default_factory=list)

    def get_live_trials(self) -> list[Some]:
        return self.live


def trial(name: str, scale: int = 2, *, reference: bool = False, curve: Sequence[float] = ()) -> Some:
    last = TrialReport(len(curve), EPOCHS, tuple(curve), EpochFigures(curve[-1])).to_json() if curve else {}
    return Some(name, TrialSpec(TrainConfig(scale=scale), reference=reference).to_tune(), last)


def run(scheduler: PerScale, some: Some, curve: Sequence[float], controller: Controller | None = None) -> int:
    """Report a curve as Tune would; returns the epoch after which the trial was stopped, or its last."""
    controller = controller or Controller()
    scheduler.on_trial_add(controller, some)
    for epoch, value in enumerate(curve, start=1):
        figures = EpochFigures(value) if value > FAILED else None
        result = TrialReport(epoch, EPOCHS, tuple(curve[:epoch]), figures).to_json()
        decision = scheduler.on_trial_result(controller, some, result)
        if decision != CONTINUE or epoch == EPOCHS:
            assert decision in (CONTINUE, STOP)
            scheduler.on_trial_complete(controller, some, result)
            return epoch
    return len(curve)


def level(value: float) -> list[float]:
    return [value + epoch / 100 for epoch in range(EPOCHS)]


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_weak_trial_is_stopped_and_a_strong_one_is_not(kind: str) -> None:
    scheduler = PerScale(kind, (2,), EPOCHS)
    for i in range(6):
        assert run(scheduler, trial(f"good{i}"), level(0.5 + i / 100)) == EPOCHS
    assert run(scheduler, trial("bad"), level(0.1)) < EPOCHS
    assert run(scheduler, trial("best"), level(0.9)) == EPOCHS


def test_asha_stops_at_its_rungs_alone() -> None:
    scheduler = PerScale("asha", (2,), EPOCHS)
    for i in range(3):
        run(scheduler, trial(f"good{i}"), level(0.5))
    assert run(scheduler, trial("bad from the start"), level(0.1)) == 2
    assert run(scheduler, trial("bad from the third epoch"), [0.6, 0.6, *level(0.1)[2:]]) == 6
    assert run(scheduler, trial("bad from the seventh epoch"), [*[0.6] * 6, *level(0.1)[6:]]) == EPOCHS


def test_hyperband_stops_weak_trials_later_in_some_brackets() -> None:
    np.random.seed(1)  # Ray draws a trial's bracket from the global generator
    scheduler = PerScale("hyperband", (2,), EPOCHS)
    for i in range(60):
        run(scheduler, trial(f"good{i}"), level(0.5))
    ends = {run(scheduler, trial(f"bad{i}"), level(0.1)) for i in range(60)}
    assert ends == {2, 6, EPOCHS}


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_the_first_trial_runs_to_its_end(kind: str) -> None:
    assert run(PerScale(kind, (2, 3), EPOCHS), trial("only"), level(0.1)) == EPOCHS


def test_none_stops_nothing_that_learns() -> None:
    scheduler = PerScale("none", (2,), EPOCHS)
    for i in range(9, 0, -1):
        assert run(scheduler, trial(str(i)), level(i / 10)) == EPOCHS


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_scales_are_not_measured_against_each_other(kind: str) -> None:
    scheduler = PerScale(kind, (2, 4), EPOCHS)
    for i in range(6):
        run(scheduler, trial(f"easy{i}", 2), level(0.9))
    assert run(scheduler, trial("hard", 4), level(0.1)) == EPOCHS


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_reference_rows_are_never_stopped(kind: str) -> None:
    scheduler = PerScale(kind, (2,), EPOCHS)
    for i in range(6):
        run(scheduler, trial(f"good{i}"), level(0.5))
    assert run(scheduler, trial("paper", reference=True), level(0.1)) == EPOCHS


@pytest.mark.parametrize("kind", ["asha", "median"])
@pytest.mark.parametrize("reference", [False, True])
def test_a_failed_trial_ends_and_lowers_no_bar(kind: str, reference: bool) -> None:
    scheduler = PerScale(kind, (2,), EPOCHS)
    for i in range(6):
        assert run(scheduler, trial(f"failed{i}", reference=reference), [FAILED]) == 1
    for i in range(3):
        run(scheduler, trial(f"good{i}"), level(0.5))
    assert run(scheduler, trial("bad"), level(0.1)) < EPOCHS  # against the failures it would be among the best


@pytest.mark.parametrize("kind", ["asha", "median"])
def test_a_restored_search_measures_against_what_its_trials_had_reported(kind: str) -> None:
    scheduler = PerScale(kind, (2,), EPOCHS)
    for i in range(6):
        scheduler.on_trial_add(Controller(), trial(f"before{i}", curve=level(0.5)))
    assert run(scheduler, trial("bad"), level(0.1)) < EPOCHS


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_restored_trial_that_would_now_be_stopped_does_no_harm(kind: str) -> None:
    scheduler = PerScale(kind, (2,), EPOCHS)
    for value in (0.9, 0.9, 0.9, 0.9, 0.1, 0.1):  # other trials may have been first then
        scheduler.on_trial_add(Controller(), trial(f"{value}", curve=level(value)))
    assert run(scheduler, trial("best"), level(0.95)) == EPOCHS


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_nobody_waits_for_others(kind: str) -> None:
    """A pause would end the process's work on a trial and begin it again from its checkpoint."""
    waiting = Controller([Some("next", {"scale": 2, "reference": False}, status=Trial.PENDING)])
    assert run(PerScale(kind, (2,), EPOCHS), trial("only"), level(0.5), waiting) == EPOCHS


@pytest.mark.parametrize("kind", SCHEDULERS)
def test_a_trial_that_never_ran_may_be_removed(kind: str) -> None:
    scheduler, some = PerScale(kind, (2,), EPOCHS), trial("never")
    scheduler.on_trial_add(Controller(), some)
    scheduler.on_trial_remove(Controller(), some)


def test_the_metric_is_its_own() -> None:
    scheduler = PerScale("asha", (2,), EPOCHS)
    assert scheduler.metric == METRIC
    assert scheduler.set_search_properties(None, None)
    assert not scheduler.set_search_properties("loss", "min")
