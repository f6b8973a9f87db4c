"""Optuna inside Ray Tune, told the truth.

Tune's own OptunaSearch tells a trial that was stopped early as COMPLETE with the value of its partial budget, which teaches
the sampler that good configurations are bad. Here a stopped trial is PRUNED with its whole curve, a failed one FAIL, and
only a finished one COMPLETE. The study lives in memory and travels with Tune's snapshots: a store of its own would run
ahead of them, and a restored search would then contradict it.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from srcnn.tuning.objective import FAILED, METRIC
from srcnn.tuning.space import Space, Value

__all__ = ["StudySearcher"]

_TRIES = 50  # draws before a space counts as used up


class StudySearcher(Searcher):  # type: ignore[misc]
    """Suggests configurations from a `Space`, spread evenly over its scales.

    Args:
        space: what to vary.
        seed: seed of the sampler.
        overrides: fields that every run of the search shares, such as its budget.
        first: parameter values (possibly of some parameters only) to run before anything is sampled. The ones under
            ``baseline`` are marked as such.
        baselines: how many of ``first`` are the reference rows, which no scheduler may stop.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        overrides: Mapping[str, Any],
        first: Sequence[Mapping[str, Value]] = (),
        baselines: int = 0,
    ) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._space, self._overrides = space, dict(overrides)
        self._first = [dict(values) for values in first]
        self._baselines = baselines
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._trials: dict[str, optuna.Trial] = {}
        self._seen: set[str] = set()
        self._per_scale: Counter[int] = Counter(dict.fromkeys(space.scales, 0))

    @property
    def study(self) -> optuna.Study:
        """The study: one Optuna trial for each of Tune's, named by the user attribute ``trial_id``."""
        return self._study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Tune's call for a configuration: the searched ``params``, the run as JSON and whether it is a reference row."""
        baseline = self._baselines > 0
        for _ in range(_TRIES):
            fixed: dict[str, Value] = self._first.pop(0) if self._first else {}
            if "scale" in self._space.parameters and "scale" not in fixed:
                fixed["scale"] = min(self._per_scale, key=lambda s: (self._per_scale[s], s))
            if fixed:
                self._study.enqueue_trial(fixed)
            trial = self._study.ask()
            params = self._space.suggest(trial)
            key = repr(sorted(params.items()))
            if key not in self._seen:
                break
            trial.set_user_attr("duplicate", True)
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            return str(Searcher.FINISHED)
        self._baselines -= baseline
        self._seen.add(key)
        config = self._space.to_config(params, **self._overrides)
        self._per_scale[config.scale] += 1
        trial.set_user_attr("trial_id", trial_id)
        self._trials[trial_id] = trial
        return {"params": params, "train": config.model_dump_json(), "scale": config.scale, "baseline": baseline}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A report on the way: one more point of the trial's curve."""
        if result.get(METRIC, FAILED) > FAILED:
            self._trials[trial_id].report(float(result[METRIC]), int(result["epoch"]))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The end of a trial: COMPLETE if it reached its last epoch, PRUNED if it was stopped before, else FAIL."""
        trial = self._trials.pop(trial_id, None)
        if trial is None:  # told already
            return
        if error or result is None or result.get(METRIC, FAILED) <= FAILED:
            self._study.tell(trial, state=TrialState.FAIL)
            return
        # Tune does not pass on the report at which it stops a trial, and a resumed trial may have run on unseen: the
        # report itself carries the whole curve. Optuna keeps the first value of a step and warns about a second.
        told = self._study.trials[trial.number].intermediate_values
        for epoch, value in enumerate(result["curve"], start=1):
            if epoch not in told:
                trial.report(float(value), epoch)
        if result["epoch"] < result["epochs"]:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, float(result["best_objective"]))

    def save(self, checkpoint_path: str) -> None:
        """Write everything to a file of Tune's snapshot."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self.__dict__))

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote."""
        self.__dict__.update(pickle.loads(Path(checkpoint_path).read_bytes()))
