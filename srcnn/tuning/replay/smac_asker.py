"""SMAC3's multi-fidelity search for comparison, if the package ``smac`` is installed. It is no dependency of this project.

The search is SMAC's facade for several fidelities with its defaults: Hyperband with budgets from one epoch to all, and a random
forest that suggests configurations (Lindauer et al., "SMAC3: A Versatile Bayesian Optimization Package for Hyperparameter
Optimization", JMLR 23, 2022). Choices that are numbers are ordered; others are not. SMAC ends when it cannot fill a bracket of
Hyperband with new configurations; those of a grid that it has not asked for until then follow in random order.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import math
import random
import shutil
import tempfile
import weakref
from typing import Any

from srcnn.errors import ConfigError
from srcnn.tuning.replay.ask_tell import Asked
from srcnn.tuning.space.parameter import Categorical, Float, Parameter, Value
from srcnn.tuning.space.space import Space

__all__ = ["SmacAsker", "need_smac"]

_TRIALS = 100_000  # more than any replay asks for
_TRIES = 2000  # random configurations that may be known before the space counts as exhausted
_FAILED = 1e3  # cost of a failed training


def need_smac() -> None:
    """Check that SMAC is installed.

    Raises:
        ConfigError: it is not.
    """
    if importlib.util.find_spec("smac") is None:
        raise ConfigError("method smac: needs the package smac (tried with 2.4.1), which is not installed")


class SmacAsker:
    """SMAC as `srcnn.tuning.replay.ask_tell` uses it.

    Args:
        space: search space without conditions.
        epochs: number of epochs of a full trial.
        seed: random seed.

    Raises:
        ConfigError: SMAC is not installed, or a parameter of the space exists only under a condition.
    """

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        need_smac()
        if space.conditional:
            raise ConfigError(f"method smac: the space must have no conditions, but {space.source} has some")
        smac, axes = importlib.import_module("smac"), importlib.import_module("ConfigSpace")
        self._end: type[Exception] = importlib.import_module(
            "smac.main.exceptions"
        ).ConfigurationSpaceExhaustedException
        self._value = importlib.import_module("smac.runhistory.dataclasses").TrialValue
        logging.getLogger("smac").setLevel(logging.CRITICAL)
        self._space, self._epochs, self._asked = space, epochs, set[str]()
        self._source = random.Random(seed)
        self._rest: list[dict[str, Value]] | None = (
            None  # configurations that SMAC has left over; None: it has not ended
        )
        folder = tempfile.mkdtemp()  # SMAC wants one; nothing is read from it
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        configurations = axes.ConfigurationSpace(seed=seed)
        configurations.add(*(_axis(axes, name, parameter) for name, parameter in space.parameters.items()))
        scenario = smac.Scenario(
            configurations,
            n_trials=_TRIALS,
            min_budget=1,
            max_budget=epochs,
            seed=seed,
            deterministic=True,
            output_directory=folder,
        )
        kind = smac.MultiFidelityFacade
        selector = kind.get_config_selector(scenario, retries=_TRIES)
        self._search = kind(scenario, _never, config_selector=selector, overwrite=True, logging_level=False)

    def ask(self) -> Asked | None:
        """Return what SMAC wants to evaluate next; None if there are no more configurations."""
        if self._rest is not None:
            return Asked(self._rest.pop(), self._epochs, None) if self._rest else None
        try:
            info = self._search.ask()
        except self._end:
            endless = any(isinstance(parameter, Float) for parameter in self._space.parameters.values())
            rows = [] if endless else self._space.grid()
            self._rest = [row for row in rows if repr(row) not in self._asked]
            self._source.shuffle(self._rest)
            return self.ask()
        found = dict(info.config)
        params = {name: _value(parameter, found[name]) for name, parameter in self._space.parameters.items()}
        self._asked.add(repr(params))
        return Asked(params, max(1, math.floor(info.budget + 0.5)), info)

    def tell(self, asked: Asked, objective: float | None) -> None:
        """Tell SMAC a cost: the objective with the opposite sign."""
        if asked.token is None:
            return
        cost = _FAILED if objective is None else -objective
        self._search.tell(asked.token, self._value(cost=cost), save=False)


def _never(config: Any, seed: int = 0, budget: float = 0.0) -> float:
    """Stand for the function that SMAC would minimize if it ran trainings itself."""
    raise NotImplementedError


def _axis(axes: Any, name: str, parameter: Parameter) -> Any:
    """Return a parameter in SMAC's form; of choices it gets the indices."""
    if isinstance(parameter, Categorical):
        numbers = all(isinstance(choice, int | float) for choice in parameter.choices)
        return axes.Categorical(name, list(range(len(parameter.choices))), ordered=numbers)
    if isinstance(parameter, Float):
        return axes.Float(name, (parameter.low, parameter.high), log=parameter.log)
    count = (parameter.high - parameter.low) // parameter.step
    return (
        axes.Integer(name, (0, count))
        if not parameter.log
        else axes.Integer(name, (parameter.low, parameter.high), log=True)
    )


def _value(parameter: Parameter, found: Any) -> Value:
    if isinstance(parameter, Categorical):
        return parameter.choices[int(found)]
    if isinstance(parameter, Float):
        return float(found)
    return int(found) if parameter.log else parameter.low + int(found) * parameter.step
