"""Importance of parameters at one scale, computed by Optuna from the trials of a search, with its uncertainty.

The importance is the fraction of the variance of the gain that a parameter explains by itself: fANOVA (Hutter, Hoos,
Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014), with a random forest. For spaces with
conditional parameters it is Optuna's PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023), in the form for such spaces. It is
computed for each scale alone: over all scales, the scale explains nearly everything, which nobody asks. Stopped trials count
with the gain of their rung (`srcnn.tuning.report.data.full_budget`), so that bad values are not left out.

The interval shows how far the importance depends on which trials happened to run: the trials are drawn again with replacement,
and the middle 80 % of the results are kept. It does not include the error of the estimated gains.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import optuna

from srcnn.tuning.report.data.full_budget import AtEnd, at_full_budget
from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.space.space import Space

__all__ = ["FEWEST", "Importance", "importances"]

FEWEST = 8  #: minimum number of trials with a gain
_TREES, _TREES_AGAIN = 32, 8  # of the forest, and of those of the interval
_AGAIN, _WORK = 24, 1500  # most resamples; most trials in all of them together
_MIDDLE = (10, 90)  # percentiles of the interval


@dataclass(frozen=True)
class Importance:
    """Importances by parameter, or the reason why there are none."""

    shares: Mapping[str, float]  #: importance by parameter, highest first, with the sum 1; empty: see ``reason``
    method: str
    count: int  #: number of trials used
    reason: str = ""  #: sentence with the reason why there are no importances
    intervals: Mapping[str, tuple[float, float]] = field(
        default_factory=dict
    )  #: middle 80 % of the resamples, by parameter
    estimated: int = 0  #: number of trials whose gain at the full budget is an estimate


def importances(space: Space | None, children: Sequence[Child]) -> Importance:
    """Compute importances for the gain at one scale.

    Args:
        space: search space; None: unknown.
        children: trials of the stage ``search`` at one scale.
    """
    if space is None:
        return Importance({}, "", 0, "The search kept no space, so the importance of its parameters is unknown.")
    method = "PED-ANOVA" if space.conditional else "fANOVA"
    ended = at_full_budget(children)
    pairs = [(one, trial) for one in ended if (trial := _trial(space, one)) is not None]
    trials, estimated = [trial for _, trial in pairs], sum(not one.measured for one, _ in pairs)
    if len(trials) < FEWEST:
        counted = f"{len(trials)} reported one" if len(trials) != 1 else "1 trial reported one"
        return Importance({}, method, len(trials), f"Importances need {FEWEST} trials with a gain, but {counted}.")
    varied = _varied(trials)
    if not varied or len({trial.value for trial in trials}) == 1:
        what = "have one and the same gain" if varied else "are of one configuration"
        return Importance({}, method, len(trials), f"The {len(trials)} trials {what}: nothing to explain.")
    with _quiet():
        found = _shares(trials, space.conditional, _TREES, 0)
        shares = {name: found[name] for name in found if name in varied}
        if not shares:
            return Importance({}, method, len(trials), "No parameter varies in all trials: nothing to compare.")
        drawn = _again(trials, space.conditional)
    intervals = (
        {name: _interval([one.get(name, 0.0) for one in drawn], shares[name]) for name in shares} if drawn else {}
    )
    ordered = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Importance(ordered, method, len(trials), intervals=intervals, estimated=estimated)


def _again(trials: Sequence[optuna.trial.FrozenTrial], conditional: bool) -> list[dict[str, float]]:
    source, found = random.Random(0), []
    for number in range(min(_AGAIN, max(8, _WORK // len(trials)))):
        some = source.choices(trials, k=len(trials))
        if len({trial.value for trial in some}) > 1 and _varied(some):
            found.append(_shares(some, conditional, _TREES_AGAIN, number))
    return found


def _interval(values: Sequence[float], share: float) -> tuple[float, float]:
    low, high = np.percentile(values, _MIDDLE)
    return min(float(low), share), max(float(high), share)


def _varied(trials: Sequence[optuna.trial.FrozenTrial]) -> set[str]:
    return {name for trial in trials for name in trial.params if len({repr(t.params.get(name)) for t in trials}) > 1}


def _shares(trials: Sequence[optuna.trial.FrozenTrial], conditional: bool, trees: int, seed: int) -> dict[str, float]:
    study = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
    study.add_trials(trials)
    evaluator: optuna.importance.BaseImportanceEvaluator = (
        optuna.importance.PedAnovaImportanceEvaluator()
        if conditional
        else optuna.importance.FanovaImportanceEvaluator(n_trees=trees, seed=seed)
    )
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _trial(space: Space, one: AtEnd) -> optuna.trial.FrozenTrial | None:
    """Return a run as a trial of Optuna; None if its values are not in the space."""
    values = one.child.values
    try:
        return optuna.trial.create_trial(
            params=dict(values),
            distributions={name: space.parameters[name].distribution for name in values},
            value=one.gain,
        )
    except ValueError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress Optuna's message about a new study inside the block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
