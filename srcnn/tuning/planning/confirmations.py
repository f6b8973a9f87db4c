"""Number of trials in the confirmation of a search."""

from __future__ import annotations

from dataclasses import replace

from srcnn.tuning.algorithms.time_budget import Size
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.settings import SearchSettings

__all__ = ["confirmation_sizes", "confirmations", "least_seeds", "smaller"]


def confirmations(plan: Plan) -> dict[int, int]:
    """Return the maximum number of confirmation trials (choosing and judging), by scale."""
    settings = plan.settings
    count = (settings.best + bool(plan.references)) * settings.choice_seeds
    return dict.fromkeys(plan.space.scales, count + (1 + bool(plan.references)) * settings.confirm_seeds)


def confirmation_sizes(plan: Plan) -> list[Size]:
    """Return the requested size of the confirmation, followed by smaller ones for a short time budget.

    First the number of candidates is reduced, down to the best of each scale and the reference, because this keeps the
    precision of the comparison. Then the number of judging seeds is reduced, down to the minimum of the settings.
    """
    settings = plan.settings
    if not settings.confirm:
        return []
    best, seeds = settings.best, settings.confirm_seeds
    kinds = [(b, seeds) for b in range(best, 0, -1)] + [(1, s) for s in range(seeds - 1, least_seeds() - 1, -1)]
    return [Size(b, s, confirmations(smaller(plan, b, s))) for b, s in kinds]


def least_seeds() -> int:
    """Return the minimum number of judging seeds."""
    bounds = SearchSettings.model_fields["confirm_seeds"].metadata
    return max(int(getattr(bound, "ge", 1)) for bound in bounds)


def smaller(plan: Plan, best: int, seeds: int) -> Plan:
    """Return the plan with another size of its confirmation."""
    return replace(plan, settings=plan.settings.replace(best=best, confirm_seeds=seeds))
