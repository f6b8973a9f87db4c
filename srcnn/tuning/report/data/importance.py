"""Importance of each parameter, computed by Optuna from the finished trials of a search.

The share of the variance of the gain that a parameter explains alone: fANOVA (Hutter, Hoos, Leyton-Brown, "An Efficient
Approach for Assessing Hyperparameter Importance", ICML 2014), by a forest of regression trees. Where parameters exist only at
some values of others it is PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023) in the form for such spaces, which Optuna has.
Trials that were stopped early are left out: their figures are of another budget. What is left is the better part of the
space, so a parameter whose bad values never finish looks less important than it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import optuna

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["FEWEST", "Importance", "importances"]

FEWEST = 8  #: finished trials below which nothing is said


@dataclass(frozen=True)
class Importance:
    """Shares by parameter, the largest first; or why there are none."""

    shares: Mapping[str, float]  #: sum to 1; empty: see ``reason``
    method: str
    count: int  #: trials it rests on
    reason: str = ""  #: why there are none, a sentence


def importances(space: Space | None, children: Sequence[Child]) -> Importance:
    """Return the importances for the objective, with the scale as a parameter if there are several scales.

    Args:
        space: space of the search.
        children: its runs, of which the finished ones of the search itself count.
    """
    if space is None:
        return Importance({}, "", 0, "The search kept no space, so the importance of its parameters is unknown.")
    method = "PED-ANOVA" if space.conditional else "fANOVA"
    ended = [c for c in children if c.stage == "search" and c.outcome is Outcome.FINISHED and c.objective is not None]
    trials = [trial for child in ended if (trial := _trial(space, child)) is not None]
    if len(trials) < FEWEST:
        counted = f"{len(trials)} trial{'s' * (len(trials) != 1)} finished"
        return Importance({}, method, len(trials), f"Importances need {FEWEST} finished trials, but {counted}.")
    varied = {name for trial in trials for name in trial.params if len({repr(t.params.get(name)) for t in trials}) > 1}
    if not varied or len({trial.value for trial in trials}) == 1:
        what = "have one and the same gain" if varied else "are of one configuration"
        return Importance({}, method, len(trials), f"The {len(trials)} finished trials {what}: nothing to explain.")
    with _quiet():
        study = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
        study.add_trials(trials)
        evaluator: optuna.importance.BaseImportanceEvaluator = (
            optuna.importance.PedAnovaImportanceEvaluator()
            if space.conditional
            else optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    shares = {name: float(share) for name, share in found.items() if name in varied}
    if not shares:
        return Importance({}, method, len(trials), "No parameter varies in all finished trials: nothing to compare.")
    return Importance(dict(sorted(shares.items(), key=lambda item: -item[1])), method, len(trials))


def _trial(space: Space, child: Child) -> optuna.trial.FrozenTrial | None:
    """A run as Optuna knows trials; None if its values are not of the space."""
    try:
        return optuna.trial.create_trial(
            params=dict(child.values),
            distributions={name: space.parameters[name].distribution for name in child.values},
            value=child.objective,
        )
    except ValueError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line about a new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
