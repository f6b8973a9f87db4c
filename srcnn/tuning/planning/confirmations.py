"""Sizes of the confirmation of a search: its ladder, and the number of its trials.

Before the best configurations are confirmed with the full budget, lower rungs choose them from more finalists, with less budget
(successive halving; Jamieson and Talwalkar, 2016). Each trial of a rung has its whole schedule, so that no network is compared in
the middle of it. A rung must not have a smaller budget than a trial of the search, which has ranked by that budget already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from srcnn.tuning.algorithms.time_budget import RungSize, Size
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.settings import SearchSettings

__all__ = [
    "MOST_FURTHER",
    "Rung",
    "confirmation_sizes",
    "confirmations",
    "further_confirmations",
    "ladder",
    "least_seeds",
    "smaller",
    "training_after",
]

#: Further configurations of a scale that are trained with the last budget, if winners fail on the drawn patterns.
MOST_FURTHER = 3

_STEP = 3  # between the budgets of two rungs


@dataclass(frozen=True)
class Rung:
    """A lower rung of the confirmation: one new seed for each of its finalists."""

    number: int  #: place on the ladder, from 1
    finalists: int  #: maximum number of finalists per scale
    goes_on: int  #: number of finalists per scale that the next rung, or choosing, takes
    pixels: float  #: training pixels of a trial


def ladder(plan: Plan) -> tuple[Rung, ...]:
    """Return the lower rungs of the confirmation, the smallest budget first.

    Automatically there are two rungs, with a ninth and a third of the confirmation's budget, as far as these are not less than
    the budget of the search: three times as many finalists as are confirmed, then about the geometric mean of the two numbers.
    Their compute is at most that of one seed of the confirmed configurations. A rung that would take all candidates further
    is left out.
    """
    settings = plan.settings
    if not settings.confirm:
        return ()
    full, best, given = settings.confirm_budget or settings.budget, settings.best, settings.rungs
    if given is None:
        count = sum(full >= settings.budget * _STEP**k for k in (1, 2))
        given = tuple(max(best + 1, round(best * 3 ** (k / count))) for k in range(count, 0, -1))
    available = math.ceil(max(0, settings.trials - plan.references) / len(plan.space.scales))
    counts = [min(count, available) for count in given]
    rungs: list[Rung] = []
    for place, (count, following) in enumerate(pairwise([*counts, best])):
        if count > following:
            pixels = max(full / _STEP ** (len(counts) - place), min(settings.budget, full))
            rungs.append(Rung(len(rungs) + 1, count, following, pixels))
    return tuple(rungs)


def confirmations(plan: Plan) -> dict[int, int]:
    """Return the maximum number of confirmation trials (choosing and judging, without lower rungs), by scale."""
    settings = plan.settings
    count = (settings.best + bool(plan.references)) * settings.choice_seeds
    return dict.fromkeys(plan.space.scales, count + (1 + bool(plan.references)) * settings.confirm_seeds)


def further_confirmations(plan: Plan) -> int:
    """Return how many trials may come in addition, at most, if winners fail on the drawn patterns.

    Each further configuration of a scale is trained with the seeds of choosing and, if it may win, with those of judging; so is
    every confirmed one that may win after the first. See `srcnn.tuning.whole_search.last_budget`.
    """
    settings, scales = plan.settings, len(plan.space.scales)
    others = settings.trials - plan.references
    if not settings.confirm or settings.allow_artefacts or others <= 0:
        return 0
    new = min(MOST_FURTHER * scales, max(0, others - settings.best))
    again = min((settings.best - 1) * scales, others - 1)
    return new * (settings.choice_seeds + settings.confirm_seeds) + again * settings.confirm_seeds


def references(plan: Plan) -> dict[int, int]:
    """Return how many of the confirmation trials are of the paper's network, by scale."""
    settings = plan.settings
    count = (settings.choice_seeds + settings.confirm_seeds) if plan.references else 0
    return dict.fromkeys(plan.space.scales, count)


def training_after(plan: Plan) -> float:
    """Return the training pixels of the whole confirmation as a fraction of those of all trials of the search.

    It is 0 with a time budget: time, and not the number of trials, is then what the search has to divide.
    """
    settings = plan.settings
    if not settings.confirm or settings.time_budget is not None:
        return 0.0
    full, scales = settings.confirm_budget or settings.budget, len(plan.space.scales)
    pixels = full * sum(confirmations(plan).values())
    pixels += sum(rung.finalists * rung.pixels * scales for rung in ladder(plan))
    return pixels / (settings.trials * settings.budget)


def confirmation_sizes(plan: Plan) -> list[Size]:
    """Return the requested size of the confirmation, followed by smaller ones for a short time budget.

    First the lower rungs are left out, the dearest first. Then the number of candidates is reduced, down to the best of each
    scale and the reference, because this keeps the precision of the comparison. Then the number of judging seeds is reduced,
    down to the minimum of the settings.
    """
    settings = plan.settings
    if not settings.confirm:
        return []
    best, seeds = settings.best, settings.confirm_seeds
    rungs = tuple(
        RungSize(dict.fromkeys(plan.space.scales, rung.finalists), rung.pixels / settings.budget)
        for rung in ladder(plan)
    )
    kinds = [(b, seeds) for b in range(best, 0, -1)] + [(1, s) for s in range(seeds - 1, least_seeds() - 1, -1)]
    climbing = [
        Size(best, seeds, confirmations(plan), rungs[:count], references(plan)) for count in range(len(rungs), 0, -1)
    ]
    some = [(b, s, smaller(plan, b, s)) for b, s in kinds]
    return climbing + [Size(b, s, confirmations(one), references=references(one)) for b, s, one in some]


def least_seeds() -> int:
    """Return the minimum number of judging seeds."""
    bounds = SearchSettings.model_fields["confirm_seeds"].metadata
    return max(int(getattr(bound, "ge", 1)) for bound in bounds)


def smaller(plan: Plan, best: int, seeds: int) -> Plan:
    """Return the plan with another size of its confirmation."""
    return replace(plan, settings=plan.settings.replace(best=best, confirm_seeds=seeds))
