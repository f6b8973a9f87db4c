"""How many trials the confirmation of a search will have."""

from __future__ import annotations

from dataclasses import replace

from srcnn.tuning.algorithms.time_budget import Size
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.settings import SearchSettings

__all__ = ["confirmation_sizes", "confirmations", "least_seeds", "smaller"]


def confirmations(plan: Plan) -> dict[int, int]:
    """How many trials choosing and judging will have at most, by scale."""
    settings = plan.settings
    count = (settings.best + bool(plan.baselines)) * settings.choice_seeds
    return dict.fromkeys(plan.space.scales, count + (1 + bool(plan.baselines)) * settings.confirm_seeds)


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
