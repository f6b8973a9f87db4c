"""What a search with a time budget needs after it: `deadline_of` a plan, from the speed of this machine where it is known."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from srcnn.tuning.confirm import confirmations
from srcnn.tuning.deadline import FILE, Costs, Deadline, Size
from srcnn.tuning.estimate import AGAIN, TEST, TRIAL, image_pixels, trial_seconds
from srcnn.tuning.plan import Plan
from srcnn.tuning.scheduler import EPOCHS
from srcnn.tuning.settings import SearchSettings
from srcnn.tuning.speed import Speed, drawn_configs

__all__ = ["confirmation_sizes", "deadline_of", "end_costs", "least_seeds", "smaller", "time_file"]

_REGISTRY = 2.0  # seconds for each scale: a model, a version, the comparison with the holder
_LOOK, _SSIM = 2e-6, 1e-6  # seconds of a core for each pixel where nothing is measured: about 9-1-5 (64-32)


def confirmation_sizes(plan: Plan) -> list[Size]:
    """The confirmation that was asked for, then smaller ones.

    Fewer candidates first, down to the best of each scale beside the paper's network: what is left keeps its certainty. Then
    fewer seeds that judge, down to the fewest that settings allow.
    """
    settings = plan.settings
    if not settings.confirm:
        return []
    best, seeds = settings.best, settings.confirm_seeds
    kinds = [(b, seeds) for b in range(best, 0, -1)] + [(1, s) for s in range(seeds - 1, least_seeds() - 1, -1)]
    return [Size(b, s, confirmations(smaller(plan, b, s))) for b, s in kinds]


def least_seeds() -> int:
    """The fewest seeds that judge."""
    bounds = SearchSettings.model_fields["confirm_seeds"].metadata
    return max(int(getattr(bound, "ge", 1)) for bound in bounds)


def smaller(plan: Plan, best: int, seeds: int) -> Plan:
    """The same plan with another size of its confirmation."""
    return replace(plan, settings=plan.settings.replace(best=best, confirm_seeds=seeds))


def end_costs(plan: Plan, speed: Speed | None, slots: int) -> Costs:
    """What the end of a search costs.

    Args:
        plan: the search.
        speed: of the machine that its trials run on; None: not known before trials report.
        slots: trials at a time.
    """
    settings, scales = plan.settings, plan.space.scales
    tests, seen = image_pixels(plan.test), image_pixels([plan.validation])
    look, ssim, full, setup = _LOOK, _SSIM, {}, 0.0
    if speed is not None:
        drawn = drawn_configs(plan.space)
        look, ssim, setup = fmean(speed.look(config) for config in drawn), speed.ssim, speed.setup
        source = random.Random(0)
        for scale in scales:
            # Leaders tend to be dear: the dearest tenth of what the space has at this scale.
            some = [c for c in drawn if c.scale == scale]
            if not some:
                some = [plan.space.to_config(plan.space.draw(source, {"scale": scale}))]
            costs = sorted(trial_seconds(plan, speed, config) for config in some)
            full[scale] = fmean(costs[-max(1, len(costs) // 10) :])
    measuring = tests * (look + ssim) + (seen * look if settings.confirm else 0.0)
    bicubic = len(scales) * tests * (ssim + _SSIM)  # in the driver, one after the other
    return Costs(
        slots=slots,
        full=full,
        ratio=(settings.confirm_budget or settings.budget) / settings.budget,
        each=TRIAL + setup,
        start=2 * AGAIN,
        measuring=measuring,
        closing=TEST + bicubic + (_REGISTRY * len(scales) if settings.confirm else 0.0),
    )


def deadline_of(
    plan: Plan, speed: Speed | None, slots: int, *, spent: float = 0.0, file: Path | None = None
) -> Deadline | None:
    """The deadline of a search, None if it has no time budget.

    Args:
        plan: the search.
        speed: as for `end_costs`.
        slots: trials at a time.
        spent: seconds that this process has used already.
        file: that keeps the spent time; None: it is neither read nor kept.
    """
    budget = plan.settings.time_budget
    if budget is None:
        return None
    costs, sizes = end_costs(plan, speed, slots), confirmation_sizes(plan)
    return Deadline(budget, costs, sizes, spent=spent, file=file, epochs=EPOCHS)


def time_file(plan: Plan) -> Path:
    """Where a search keeps what it has spent."""
    return plan.settings.folder / FILE
