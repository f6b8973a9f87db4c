"""The searcher and the scheduler of a method, as a replay runs them.

They are the classes of a real search. Costs are removed that change no result: random suggestions are drawn once for all replays
with the same seed, a configuration is validated once per replay and not at every suggestion, and a distribution is compared with
itself by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from optuna.distributions import BaseDistribution, CategoricalDistribution
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from srcnn.config.training import TrainConfig
from srcnn.tuning.algorithms.early_stopping import FREEZE_THAW, GRACE, REDUCTION, PerScale
from srcnn.tuning.algorithms.freeze_thaw import FreezeThaw
from srcnn.tuning.algorithms.study_searcher import StudySearcher
from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.replay.ask_tell import AskTell
from srcnn.tuning.replay.methods import Method, top_k_of
from srcnn.tuning.replay.random_order import RandomOrder
from srcnn.tuning.replay.smac_asker import SmacAsker
from srcnn.tuning.replay.top_k import TopK
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import METRIC
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["Pair", "Scheduler", "make_pair"]


class Scheduler(Protocol):
    """The methods of Tune's schedulers that a replay calls."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Note a new trial, which is pending."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Return one of Tune's decisions: CONTINUE, PAUSE or STOP."""

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Note the end of a trial that was running."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Note the end of a trial that was pending or paused."""

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Return a pending or a paused trial for a free worker; None if there is none."""


@dataclass(frozen=True)
class Pair:
    """A searcher, a scheduler, and how to read the values of the parameters in a configuration of the searcher."""

    searcher: Searcher
    scheduler: Scheduler
    params_of: Callable[[dict[str, Any]], Mapping[str, Value]]


def make_pair(table: CurveTable, method: Method, seed: int) -> Pair:
    """Return the searcher and the scheduler of a method for a table.

    Args:
        table: recorded curves; its space is searched.
        method: sampler and scheduler.
        seed: random seed of the sampler.
    """
    if method.sampler == "stock":
        axes = {name: _quick(parameter.distribution) for name, parameter in table.space.parameters.items()}
        same = {"grace_period": min(GRACE, table.epochs), "reduction_factor": REDUCTION}
        rungs = same if method.scheduler == "asha-same-rungs" else {}
        scheduler = ASHAScheduler(time_attr="epoch", metric=METRIC, mode="max", max_t=table.epochs, **rungs)
        return Pair(OptunaSearch(axes, metric=METRIC, mode="max", seed=seed), scheduler, lambda config: config)
    if method.sampler == "smac":
        both = AskTell(SmacAsker(table.space, table.epochs, seed), table.epochs)
        return Pair(both.searcher, both.scheduler, lambda config: config)
    known = {part.name: getattr(table.space, part.name) for part in fields(Space)}
    space = _Checked(**known)
    if method.scheduler == FREEZE_THAW:
        whole, pausing = (
            StudySearcher(space, seed, {}, sampler=method.sampler, pauses=True, epochs=table.epochs),
            FreezeThaw(),
        )
        pausing.use_searcher(whole)
        return Pair(whole, pausing, lambda config: TrialSpec.from_tune(config).params)
    searcher = (
        RandomOrder(space, seed)
        if method.sampler == "random"
        else StudySearcher(space, seed, {}, sampler=method.sampler, epochs=table.epochs)
    )
    size = top_k_of(method.scheduler)
    return Pair(
        searcher,
        PerScale(method.scheduler, table.space.scales, table.epochs) if size is None else TopK(*size),
        lambda config: TrialSpec.from_tune(config).params,
    )


@dataclass(frozen=True)
class _Checked(Space):
    """A space that keeps the configurations which it has validated."""

    _known: dict[str, TrainConfig] = field(default_factory=dict)

    def to_config(self, values: Mapping[str, Value], **overrides: Any) -> TrainConfig:
        key = repr((values, overrides))
        if key not in self._known:
            self._known[key] = super().to_config(values, **overrides)
        return self._known[key]


class _Choices(CategoricalDistribution):
    """A distribution with a fast comparison to itself.

    Optuna compares choice by choice, which takes most of the time of a long replay.
    """

    def __eq__(self, other: object) -> bool:
        return other is self or super().__eq__(other)

    __hash__ = CategoricalDistribution.__hash__


def _quick(distribution: BaseDistribution) -> BaseDistribution:
    return _Choices(distribution.choices) if isinstance(distribution, CategoricalDistribution) else distribution
