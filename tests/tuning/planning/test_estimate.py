"""What a search is expected to cost: real steps are timed, and the arithmetic over them is checked by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from srcnn.config.training import TrainConfig
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.planning.estimate import AGAIN, TRIAL, Estimate, estimate, expected_share, lines

from planned_search import SPEED, macs_of_a_step, plan

ONE = """\
parameters:
  n1: {type: categorical, choices: [8]}
  scale: {type: categorical, choices: [2, 3]}
constants:
  patch_size: 24
  n2: 8
"""


def test_equal_trials_are_counted_by_hand(workplace: Path) -> None:
    (workplace / "one.yaml").write_text(ONE, encoding="utf-8")
    config = TrainConfig(filters=(8, 8), patch_size=24)
    full = math.ceil(150e3 / (8 * config.output_size**2)) * 2e-9 * macs_of_a_step(config)

    def of(slots: int = 1, **fields: Any) -> Estimate:
        return estimate(plan(space="one.yaml", trials=10, **fields), SPEED, slots)

    alone = of(scheduler="none", confirm=False)
    assert alone.search.trials == 10
    assert alone.search.busy == pytest.approx(10 * (full + TRIAL))
    assert alone.search.seconds == pytest.approx(alone.search.busy)
    assert alone.hours == pytest.approx(alone.search.busy / 3600)
    assert alone.confirmation.trials == 0
    # The share that the scheduler leaves of it.
    stopped = of(confirm=False)
    assert stopped.search.busy == pytest.approx(
        10 * (expected_share(plan(space="one.yaml", trials=10, confirm=False)) * full + TRIAL)
    )
    assert estimate(plan(space="one.yaml", trials=10), SPEED, 1, kept=0.5).search.busy == pytest.approx(
        5 * full + 10 * TRIAL
    )
    # Two at a time take half as long, and one of them waits for the other at the end.
    two = of(2, scheduler="none", confirm=False)
    assert two.search.busy == alone.search.busy
    assert two.search.seconds == pytest.approx(alone.search.busy / 2 + full / 4)
    # Two seeds of the best two at each of two scales choose, five of the winners judge; with three times the pixels.
    confirmed = of(scheduler="none", best=2, confirm_seeds=5, confirm_budget=450e3, ladder="none")
    assert confirmed.confirmation.trials == 18
    assert confirmed.confirmation.busy == pytest.approx(18 * (3 * full + TRIAL), rel=0.01)
    assert confirmed.seconds > alone.seconds
    assert confirmed.disk > alone.disk
    assert of(best=9, confirm_seeds=2).confirmation.trials < 2 * 9 * 2  # few finish, and only those are confirmed
    # A rung for all five trials of each scale, with the budget of the search.
    climbed = of(scheduler="none", best=2, confirm_seeds=5, confirm_budget=450e3)
    assert climbed.confirmation.trials == 18 + 10
    assert climbed.confirmation.busy - confirmed.confirmation.busy == pytest.approx(10 * (full + TRIAL), rel=0.01)
    assert climbed.confirmation.seconds - confirmed.confirmation.seconds == pytest.approx(10 * (full + TRIAL) + AGAIN)
    # A core more for each trial.
    assert of(scheduler="none", confirm=False, cpus_per_trial=2).hours == pytest.approx(2 * alone.hours)


def test_reference_rows_run_whole_and_are_confirmed(workplace: Path) -> None:
    (workplace / "one.yaml").write_text(ONE.replace("[8]", "[8, 64]").replace("n2: 8", "n2: 32"), encoding="utf-8")
    ours = plan(space="one.yaml", trials=2, enqueue=("paper",), best=1, confirm_seeds=2)
    config = TrainConfig(patch_size=24)
    full = math.ceil(150e3 / (8 * config.output_size**2)) * 2e-9 * macs_of_a_step(config)
    found = estimate(ours, SPEED, 1)
    assert ours.references == 2
    assert found.search.busy == pytest.approx(2 * (full + TRIAL))
    assert found.confirmation.trials == 2 * (2 + 2)


def test_trials_end_with_the_grid_and_time_with_its_budget(workplace: Path) -> None:
    (workplace / "one.yaml").write_text(ONE, encoding="utf-8")
    assert estimate(plan(space="one.yaml", trials=10, sampler="grid"), SPEED, 1).search.trials == 2
    assert estimate(plan(space="space.yaml", trials=10, sampler="grid"), SPEED, 1).search.trials == 10
    hurried = estimate(plan(space="one.yaml", trials=10, time_budget=20), SPEED, 1)
    assert hurried.seconds == 20 < hurried.whole
    assert "without the time budget" in dict(lines(hurried))["time"]


def test_validation_and_test_images_take_their_time(workplace: Path) -> None:
    looking = replace(SPEED, probes=tuple(replace(probe, look_seconds=1e-4) for probe in SPEED.probes))
    ours = plan(trials=4, confirm=False, scheduler="none")
    blind, seeing = estimate(ours, SPEED, 1), estimate(ours, looking, 1)
    pixels = 2 * 96 * 96
    assert seeing.search.busy - blind.search.busy == pytest.approx(4 * EPOCHS * pixels * 1e-4)
    assert seeing.tests - blind.tests == pytest.approx(4 * pixels * 1e-4)
    assert seeing.memory == blind.memory
    assert estimate(ours, SPEED, 3).memory > blind.memory


@pytest.mark.parametrize("scheduler", ["asha", "hyperband", "median", "none"])
def test_every_scheduler_has_a_share(workplace: Path, scheduler: str) -> None:
    assert all(0 < expected_share(plan(trials=trials, scheduler=scheduler)) <= 1 for trials in (1, 10, 1000))


def test_nothing_stops_the_first_trial_of_a_scale(workplace: Path) -> None:
    alone = plan(trials=1, scales=(2,), best=1, confirm_seeds=2, scheduler="asha")
    assert expected_share(alone) == 1
    assert estimate(alone, SPEED, 1).confirmation.trials == 4
    assert estimate(plan(trials=2, best=1, confirm_seeds=2), SPEED, 1).confirmation.trials == 8
    (workplace / "one.yaml").write_text(ONE.replace("[8]", "[8, 64]").replace("n2: 8", "n2: 32"), encoding="utf-8")
    beside = plan(space="one.yaml", trials=3, enqueue=("paper",), scheduler="asha")  # but the paper's network may
    assert expected_share(beside) < 0.5


@pytest.mark.parametrize(("trials", "share"), [(1, 1.0), (4, 0.75), (50, 0.5)])
def test_of_trials_that_pause_at_least_three_finish(workplace: Path, trials: int, share: float) -> None:
    assert expected_share(plan(trials=trials, scales=(2,), confirm=False, scheduler="freeze-thaw")) == share


def test_an_estimate_reads_as_names_and_values(workplace: Path) -> None:
    shown = dict(lines(estimate(plan(trials=4, confirm=False), SPEED, 2)))
    assert list(shown) == ["time", "core-hours", "disk", "memory", "measured"]
    assert "4 trials" in shown["time"]
    confirmed = dict(lines(estimate(plan(trials=40), SPEED, 2)))
    assert "confirmations" in confirmed["time"]
    found = estimate(plan(trials=40), SPEED, 2)
    assert confirmed["not counted"].startswith(
        "up to 3 more configurations of each scale if winners fail on a drawn pattern: at most "
        f"{found.further.trials} confirmations, "
    )
    assert found.further.seconds > 0 and found.further_hours > 0
    allowed = estimate(plan(trials=40, allow_artefacts=True), SPEED, 2)
    assert "not counted" not in dict(lines(allowed))
    assert replace(found, further=allowed.further) == allowed  # no other figure includes them
    assert "2 trials at a time" in shown["core-hours"]
    assert "a device" in shown["measured"]
    on_gpus = dict(lines(estimate(plan(trials=4, gpus_per_trial=0.5), replace(SPEED, gpu=True), 2)))
    assert "GPU-hours" in on_gpus
