"""Importance of parameters, computed by Optuna from the finished trials of a search.

The importance is the fraction of the variance of the gain that a parameter explains by itself: fANOVA (Hutter, Hoos,
Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014), with a random forest. For spaces with
conditional parameters it is Optuna's PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023), in the form for such spaces. Trials that
were stopped early are excluded, because their gains belong to a smaller budget. The finished trials are in the better part of
the space, so the importance of a parameter is underestimated if trials with its bad values never finish.
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

FEWEST = 8  #: minimum number of finished trials


@dataclass(frozen=True)
class Importance:
    """Importances by parameter, or the reason why there are none."""

    shares: Mapping[str, float]  #: importance by parameter, highest first, with the sum 1; empty: see ``reason``
    method: str
    count: int  #: number of trials used
    reason: str = ""  #: sentence with the reason why there are no importances


def importances(space: Space | None, children: Sequence[Child]) -> Importance:
    """Compute importances for the objective; the scale is a parameter if the search has several scales.

    Args:
        space: search space; None: unknown.
        children: runs of the search; only finished ones of the stage ``search`` are used.
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
    """Return a run as a trial of Optuna; None if its values are not in the space."""
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
    """Suppress Optuna's message about a new study inside the block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
