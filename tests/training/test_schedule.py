"""The steps of a run: budgets, parts, and fractions of it. What a run makes of them is in test_fit.py."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.training.schedule import Schedule, make_schedule


def scheduled(late: int | None = None, **fields: Any) -> Schedule:
    return make_schedule(TrainConfig(**fields), steps_per_epoch=10, pixels_per_step=100, late_pixels_per_step=late)


def test_a_budget_is_needed() -> None:
    with pytest.raises(ConfigError, match="budget in epochs or pixels, but got none"):
        scheduled()


def test_epochs_and_pixels() -> None:
    assert (scheduled(epochs=3).steps, scheduled(epochs=3).epochs) == (30, 3)
    assert (scheduled(pixels=2901).steps, scheduled(pixels=2901).epochs) == (30, 3)
    assert (scheduled(pixels=2901, epoch_pixels=100).steps, scheduled(pixels=2901, epoch_pixels=100).epochs) == (30, 29)
    assert (scheduled(pixels=1).steps, scheduled(pixels=1).epochs) == (1, 1)


@pytest.mark.parametrize("budget", [{"epochs": 4}, {"pixels": 4000}])
@pytest.mark.parametrize("late", [80, 100, 130])
@pytest.mark.parametrize("share", [0.01, 0.25, 0.99])
def test_larger_sub_images_share_the_budget(budget: dict[str, Any], late: int, share: float) -> None:
    schedule = scheduled(late, **budget, late_patch_size=96, late_share=share)
    assert schedule.epochs == 4
    assert schedule.end_of(4) == schedule.steps
    pixels = (schedule.steps - schedule.late_from) * late
    assert share * 4000 <= pixels < share * 4000 + late
    assert 4000 <= schedule.pixels_at(schedule.steps) < 4000 + 100 + late
    assert schedule.late_from >= 1
    assert schedule.pixels_at(schedule.late_from) == 100 * schedule.late_from
    assert schedule.pixels_at(0) == 0


def test_parts_have_sub_images_of_one_size() -> None:
    schedule = scheduled(100, epochs=2, late_patch_size=96, late_share=0.25)
    assert schedule.late_from == 15
    assert schedule.parts(0, 10) == [(0, 10)]
    assert schedule.parts(10, 20) == [(10, 15), (15, 20)]
    assert schedule.parts(15, 20) == [(15, 20)]
    assert schedule.parts(16, 20) == [(16, 20)]
    assert scheduled(epochs=2).parts(10, 20) == [(10, 20)]


@pytest.mark.parametrize(
    ("fields", "begin"),
    [
        ({}, 20),
        ({"mse_share": 0.5}, 20),  # the loss is mse all the time
        ({"loss": "l1"}, 20),
        ({"loss": "l1", "mse_share": 0.5}, 10),
        ({"loss": "l1", "mse_share": 0.01}, 20),  # less than a step
        ({"loss": "l1", "mse_share": 0.9999}, 1),
    ],
)
def test_the_squared_error_comes_last(fields: dict[str, Any], begin: int) -> None:
    assert scheduled(epochs=2, **fields).mse_from == begin


def test_the_last_cycle_ends_with_the_run() -> None:
    for growth in (1.0, 1.7, 4.0):
        schedule = scheduled(epochs=100, cycles=3, cycle_growth=growth, learning_rate=1.0, warmup=0.0)
        rates = [schedule.rate_at(step) for step in range(schedule.steps)]
        assert rates[0] == 1.0
        assert rates[-1] < 1e-4
        assert sum(a < b for a, b in itertools.pairwise(rates)) == 2  # the restarts
