"""Costs of the end of a search with a time budget: `deadline_of`, from the speed of this machine if it is known."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import fmean

from srcnn.errors import ConfigError
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.algorithms.time_budget import FILE, Costs, Deadline
from srcnn.tuning.planning.confirmations import confirmation_sizes, ladder
from srcnn.tuning.planning.estimate import AGAIN, TEST, TRIAL, image_pixels, trial_seconds
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.speed import Speed, drawn_configs

__all__ = ["check_ladder", "deadline_of", "end_costs", "time_file"]

_REGISTRY = 2.0  # seconds per scale: registering a model version and comparing it with the current champion
_LOOK, _SSIM = 2e-6, 1e-6  # default core-seconds per pixel without a measurement: about those of 9-1-5 (64-32)


def end_costs(plan: Plan, speed: Speed | None, slots: int) -> Costs:
    """Return the costs of the end of a search.

    Args:
        plan: the search.
        speed: speed of the machine of its trials; None: unknown before the first reports.
        slots: number of concurrent trials.
    """
    settings, scales = plan.settings, plan.space.scales
    tests, seen = image_pixels(plan.test), image_pixels([plan.validation])
    look, ssim, full, setup = _LOOK, _SSIM, {}, 0.0
    if speed is not None:
        drawn = drawn_configs(plan.space)
        look, ssim, setup = fmean(speed.look(config) for config in drawn), speed.ssim, speed.setup
        source = random.Random(0)
        for scale in scales:
            # The best configurations tend to be expensive: use the most expensive tenth of the space at this scale.
            some = [c for c in drawn if c.scale == scale]
            if not some:
                some = [plan.space.drawn_config(source, {"scale": scale})]
            costs = sorted(trial_seconds(plan, speed, config) for config in some)
            full[scale] = fmean(costs[-max(1, len(costs) // 10) :])
    measuring = tests * (look + ssim) + (seen * look if settings.confirm else 0.0)
    bicubic = len(scales) * tests * (ssim + _SSIM)  # sequentially, in the driver
    return Costs(
        slots=slots,
        full=full,
        ratio=(settings.confirm_budget or settings.budget) / settings.budget,
        each=TRIAL + setup,
        start=2 * AGAIN,
        rung=AGAIN,
        measuring=measuring,
        closing=TEST + bicubic + (_REGISTRY * len(scales) if settings.confirm else 0.0),
    )


def deadline_of(
    plan: Plan, speed: Speed | None, slots: int, *, spent: float = 0.0, file: Path | None = None
) -> Deadline | None:
    """Return the deadline of a search; None without a time budget.

    Args:
        plan: the search.
        speed: as in `end_costs`.
        slots: number of concurrent trials.
        spent: time already used by this process, in seconds.
        file: file that stores the spent time; None: it is neither read nor written.
    """
    budget = plan.settings.time_budget
    if budget is None:
        return None
    costs, sizes = end_costs(plan, speed, slots), confirmation_sizes(plan)
    return Deadline(budget, costs, sizes, spent=spent, file=file, epochs=EPOCHS)


def check_ladder(plan: Plan, deadline: Deadline | None) -> None:
    """Check that a ladder that was given in the settings fits into the time budget. An automatic one is made shorter instead.

    Raises:
        ConfigError: it does not fit.
    """
    asked = None if deadline is None else deadline.asked
    if deadline is None or asked is None or plan.settings.rungs is None or not ladder(plan):
        return
    if (needed := deadline.after(asked)) > deadline.most:
        raise ConfigError(
            f"ladder: with the confirmation above it, it must need at most three quarters of the time budget, "
            f"{deadline.most:.0f} s, but got {plan.settings.ladder!r}, which needs about {needed:.0f} s"
        )


def time_file(plan: Plan) -> Path:
    """Return the file that stores the time spent by a search."""
    return plan.settings.folder / FILE
