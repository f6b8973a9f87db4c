"""The methods that a replay compares: a sampler with a stopping rule, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.algorithms.early_stopping import SCHEDULERS
from srcnn.tuning.algorithms.study_searcher import SAMPLERS

__all__ = ["METHODS", "Method", "parse_method"]


@dataclass(frozen=True)
class Method:
    """What suggests configurations and what stops trials.

    The sampler ``stock`` is Tune's OptunaSearch, with Tune's ASHAScheduler: as it comes, whose rungs lie at 1 and 4 of 9
    epochs, or with the scheduler ``asha-same-rungs``, at this project's 2 and 6.
    """

    name: str
    sampler: str
    scheduler: str


#: By name: this project's defaults; Tune's own OptunaSearch and ASHAScheduler as they come, and with this project's rungs,
#: which tells the sampler's part from the rungs'; and the plain ways to compare with.
METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("ours", "curves", "asha"),
        Method("stock", "stock", "asha"),
        Method("stock-same-rungs", "stock", "asha-same-rungs"),
        Method("tpe", "tpe", "none"),
        Method("random+asha", "random", "asha"),
        Method("random", "random", "none"),
    )
}


def parse_method(text: str) -> Method:
    """A method by its name in `METHODS`, or as SAMPLER+SCHEDULER.

    Raises:
        ConfigError: there is no such method, sampler or scheduler.
    """
    if text in METHODS:
        return METHODS[text]
    sampler, plus, scheduler = text.partition("+")
    if not plus:
        raise ConfigError(f"{unknown_name('method', text, METHODS)}; or SAMPLER+SCHEDULER, such as gp+median")
    for kind, name, known in (("sampler", sampler, SAMPLERS), ("scheduler", scheduler, SCHEDULERS)):
        if name not in known:
            raise ConfigError(unknown_name(kind, name, known))
    return Method(text, sampler, scheduler)
