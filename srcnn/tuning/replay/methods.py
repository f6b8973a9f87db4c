"""The methods that a replay compares: combinations of a sampler and a scheduler, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.algorithms.early_stopping import FREEZE_THAW, SCHEDULERS
from srcnn.tuning.algorithms.study_searcher import SAMPLERS
from srcnn.tuning.replay.smac_asker import need_smac

__all__ = ["METHODS", "OPTIONAL", "Method", "parse_method", "top_k_of"]


@dataclass(frozen=True)
class Method:
    """A sampler and a scheduler.

    The sampler ``stock`` is Tune's OptunaSearch with Tune's ASHAScheduler, either with its default rungs after 1 and 4
    of 9 epochs, or, with the scheduler ``asha-same-rungs``, with this project's rungs after 2 and 6. The scheduler
    ``top-K-of-N`` trains N configurations for one epoch and the best K of them to the end, again and again
    (`srcnn.tuning.replay.top_k`).
    """

    name: str
    sampler: str
    scheduler: str


#: Methods by name: the search of this project; ``pausing``, the same with trials that pause; Tune's OptunaSearch
#: and ASHAScheduler with their defaults, and with this project's rungs, which separates the effect of the sampler from that of
#: the rungs; and simple methods for comparison. Of the rounds of ``top-k``, with k = 3 as in the paper, 24 was the size with the
#: lowest compute on the table grid-x3, of 12, 24, 36 and all 144.
METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("ours", "curves", "asha"),
        Method("pausing", "curves", FREEZE_THAW),
        Method("stock", "stock", "asha"),
        Method("stock-same-rungs", "stock", "asha-same-rungs"),
        Method("tpe", "tpe", "none"),
        Method("top-k", "random", "top-3-of-24"),
        Method("random+hyperband", "random", "hyperband"),
        Method("random+asha", "random", "asha"),
        Method("random", "random", "none"),
    )
}

#: Methods of other packages, which are refused if the package is not installed: SMAC3 (`srcnn.tuning.replay.smac_asker`).
OPTIONAL: Mapping[str, Method] = {"smac": Method("smac", "smac", "smac")}


def top_k_of(scheduler: str) -> tuple[int, int] | None:
    """Return K and N of a scheduler named ``top-K-of-N``; None if it has another name.

    Raises:
        ConfigError: K is not between 1 and N.
    """
    found = re.fullmatch(r"top-(\d+)-of-(\d+)", scheduler)
    if found is None:
        return None
    best, size = int(found[1]), int(found[2])
    if not 1 <= best <= size:
        raise ConfigError(f"scheduler {scheduler}: K of top-K-of-N must be from 1 to N, but got {best} of {size}")
    return best, size


def parse_method(text: str) -> Method:
    """Return a method by its name in `METHODS` or `OPTIONAL`, or in the form SAMPLER+SCHEDULER.

    Raises:
        ConfigError: there is no such method, sampler or scheduler, or its package is not installed.
    """
    if text in OPTIONAL:
        need_smac()
        return OPTIONAL[text]
    if text in METHODS:
        return METHODS[text]
    sampler, plus, scheduler = text.partition("+")
    if not plus:
        raise ConfigError(
            f"{unknown_name('method', text, (*METHODS, *OPTIONAL))}; or give SAMPLER+SCHEDULER, such as gp+median"
        )
    if sampler not in SAMPLERS:
        raise ConfigError(unknown_name("sampler", sampler, SAMPLERS))
    if top_k_of(scheduler) is None and scheduler not in SCHEDULERS:
        raise ConfigError(unknown_name("scheduler", scheduler, (*SCHEDULERS, "top-3-of-24")))
    return Method(text, sampler, scheduler)
