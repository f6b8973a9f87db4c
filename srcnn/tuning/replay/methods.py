"""The methods that a replay compares: combinations of a sampler and a scheduler, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.algorithms.early_stopping import SCHEDULERS
from srcnn.tuning.algorithms.study_searcher import SAMPLERS

__all__ = ["METHODS", "Method", "parse_method"]


@dataclass(frozen=True)
class Method:
    """A sampler and a scheduler.

    The sampler ``stock`` is Tune's OptunaSearch with Tune's ASHAScheduler, either with its default rungs after 1 and 4
    of 9 epochs, or, with the scheduler ``asha-same-rungs``, with this project's rungs after 2 and 6.
    """

    name: str
    sampler: str
    scheduler: str


#: Methods by name: this project's defaults; Tune's OptunaSearch and ASHAScheduler with their defaults, and with this project's
#: rungs, which separates the effect of the sampler from that of the rungs; and simple methods for comparison.
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
    """Return a method by its name in `METHODS` or in the form SAMPLER+SCHEDULER.

    Raises:
        ConfigError: there is no such method, sampler or scheduler.
    """
    if text in METHODS:
        return METHODS[text]
    sampler, plus, scheduler = text.partition("+")
    if not plus:
        raise ConfigError(f"{unknown_name('method', text, METHODS)}; or give SAMPLER+SCHEDULER, such as gp+median")
    for kind, name, known in (("sampler", sampler, SAMPLERS), ("scheduler", scheduler, SCHEDULERS)):
        if name not in known:
            raise ConfigError(unknown_name(kind, name, known))
    return Method(text, sampler, scheduler)
