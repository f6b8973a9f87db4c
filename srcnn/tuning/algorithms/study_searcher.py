"""Optuna inside Ray Tune, told the truth.

Tune's own OptunaSearch tells a trial that was stopped early as COMPLETE with the value of its partial budget, which teaches
the sampler that good configurations are bad. Here a stopped trial is PRUNED with its whole curve, a failed one FAIL, and
only a finished one COMPLETE. The study lives in memory and travels with Tune's snapshots: a store of its own would run
ahead of them, and a restored search would then contradict it.

A configuration that ran already, or that breaks a constraint, is told FAIL with a word why (user attribute ``skipped``) and
another one is asked for.

The scale of the next trial is settled before the sampler is asked (the one with the fewest trials), and every sampler draws the
other values for that scale. `CurveSampler` models all scales at once and takes the scale as given. Optuna's TPE, Gaussian
process and CMA-ES have no such condition: a value that is fixed beforehand takes the place of the one in a joint sample, whose
other values were drawn for another scale. So they learn from a study for each scale, in which the scale is a constant; the
study over all scales, which others read, keeps a copy of every trial.
"""

from __future__ import annotations

import pickle
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from ray.tune.search import Searcher

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, SearchError
from srcnn.tuning.adapters.ray_internals import SEARCHER_STATES
from srcnn.tuning.algorithms.curve_sampler import CurveSampler
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import METRIC, OBJECTIVES
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["SAMPLERS", "StudySearcher", "load_study"]

#: The choices: a Gaussian process that learns from every curve, stopped ones too (`CurveSampler`; tree-structured Parzen
#: estimator where there are several objectives); Optuna's TPE, random, Gaussian process and CMA-ES (numbers; categories at
#: random); every combination of a grid.
SAMPLERS = ("curves", "tpe", "random", "gp", "cmaes", "grid")

#: Those that draw for one scale only if they know no other.
_APART = ("tpe", "gp", "cmaes")

_START = 6  # trials of a scale before its sampler learns, of several scales; of one scale Optuna's 10
_TRIES = 30  # of the sampler, before configurations are drawn at random
_DRAWS = 2000  # at random, before a space counts as used up


class StudySearcher(Searcher):  # type: ignore[misc]
    """Suggests configurations from a `Space`, spread evenly over its scales; none twice.

    Args:
        space: what to vary.
        seed: seed of the sampler.
        overrides: fields that every run of the search shares, such as its budget.
        first: parameter values (possibly of some parameters only) to run before anything is sampled. The ones under
            ``baselines`` are marked as such.
        baselines: how many of ``first`` are the reference rows, which no scheduler may stop.
        sampler: one of `SAMPLERS`.
        objectives: names out of `OBJECTIVES`; with several the study knows no curves, which Optuna keeps for one alone.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        overrides: Mapping[str, Any],
        first: Sequence[Mapping[str, Value]] = (),
        baselines: int = 0,
        sampler: str = "tpe",
        objectives: Sequence[str] = ("gain",),
    ) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._space, self._overrides = space, dict(overrides)
        self._first = [dict(values) for values in first]
        self._baselines, self._objectives = baselines, tuple(objectives)
        self._source = random.Random(seed)
        self._last = False  # whether the study is over once the first configurations are
        if sampler == "grid":
            rows = space.grid()
            self._source.shuffle(rows)  # a search that is stopped half-way has then seen every part of the grid
            self._first += rows
            self._last = True
        kind = "tpe" if sampler == "curves" and len(objectives) > 1 else sampler
        directions, scales = [OBJECTIVES[name].direction for name in objectives], space.scales
        apart = kind in _APART and len(scales) > 1
        #: Over all scales. Where each scale has a study of its own, this one is given the values that those drew.
        self._study = optuna.create_study(
            directions=directions, sampler=_make_sampler("random" if apart else kind, seed, space)
        )
        self._asked: dict[int, tuple[optuna.Study, Space]] = dict.fromkeys(scales, (self._study, space))
        for i, scale in enumerate(scales if apart else ()):
            alone = space.restrict_scales((scale,))
            drawn = _make_sampler(kind, (seed + i) % 2**31, alone, len(scales))
            self._asked[scale] = optuna.create_study(directions=directions, sampler=drawn), alone
        self._trials: dict[str, tuple[optuna.Trial, ...]] = {}
        self._seen: set[str] = set()
        self._per_scale: Counter[int] = Counter(dict.fromkeys(space.scales, 0))
        self._time = StageTime()

    def use_time(self, time: StageTime) -> None:
        """Look at this time from now on; before, there is no time budget. It is no part of a pickle."""
        self._time = time

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_time": StageTime()}

    @property
    def study(self) -> optuna.Study:
        """The study over all scales: one Optuna trial for each of Tune's, named by the user attribute ``trial_id``."""
        return self._study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Tune's call for a configuration: a `TrialSpec` as Tune takes it."""
        # The first trial is given out in any case: a search without one would be worth nothing. It ends at its first report.
        found = None if self._time.is_up and self._per_scale.total() else self._next()
        if found is None:
            return str(Searcher.FINISHED)
        trials, params, config, baseline = found
        self._seen.add(config.model_dump_json())
        self._per_scale[config.scale] += 1
        for trial in trials:
            trial.set_user_attr("trial_id", trial_id)
        self._trials[trial_id] = trials
        return TrialSpec(config, params, baseline).to_tune()

    def _next(self) -> tuple[tuple[optuna.Trial, ...], dict[str, Value], TrainConfig, bool] | None:
        while self._first:
            baseline, fixed = self._baselines > 0, self._first.pop(0)
            self._baselines -= baseline
            found = self._ask(fixed)
            if found is not None:
                return *found, baseline
        if self._last:
            return None
        for _ in range(_TRIES):
            found = self._ask({})
            if found is not None:
                return *found, False
        # The sampler insists on what it knows: the best of a small space has run. What is left is drawn at random.
        for _ in range(_DRAWS):
            params = self._space.draw(self._source, self._next_scale({}))
            if not self._refused(params):
                found = self._ask(params)
                if found is not None:
                    return *found, False
        return None

    def _next_scale(self, fixed: Mapping[str, Value]) -> dict[str, Value]:
        """The values with the scale that had the fewest trials, unless they name one."""
        if "scale" not in self._space.parameters or "scale" in fixed:
            return dict(fixed)
        return {**fixed, "scale": min(self._per_scale, key=lambda s: (self._per_scale[s], s))}

    def _ask(self, fixed: Mapping[str, Value]) -> tuple[tuple[optuna.Trial, ...], dict[str, Value], TrainConfig] | None:
        """One question to the sampler of a scale; None if its answer cannot be run.

        Returns:
            The trial, in the scale's own study and in the one over all scales if these are two; its values; its run.
        """
        fixed = self._next_scale(fixed)
        study, space = self._asked[int(str(fixed.get("scale", self._space.scales[0])))]
        trial, params = _draw(study, space, fixed)
        trials = (trial,) if study is self._study else (trial, _draw(self._study, self._space, params)[0])
        refused = self._refused(params)
        if refused:
            for trial in trials:
                trial.set_user_attr("skipped", refused)
                trial.study.tell(trial, state=TrialState.FAIL)
            return None
        return trials, params, self._space.to_config(params, **self._overrides)

    def _refused(self, params: Mapping[str, Value]) -> str:
        """Why values cannot be run; empty if they can."""
        try:
            config = self._space.to_config(params, **self._overrides)
        except ConfigError as error:
            return str(error)
        if config.model_dump_json() in self._seen:
            return "ran already"
        return self._space.constraints.broken_by(config)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A report on the way: one more point of the trial's curve."""
        report = TrialReport.from_json(result)
        if len(self._objectives) == 1 and not report.failed:
            for trial in self._trials[trial_id]:
                _tell_curve(trial, report.curve)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The end of a trial: COMPLETE if it reached its last epoch, PRUNED if it was stopped before, else FAIL."""
        report = None if error else TrialReport.last_of(result)
        for trial in self._trials.pop(trial_id, ()):  # none: told already
            self._tell(trial, report)

    def _tell(self, trial: optuna.Trial, report: TrialReport | None) -> None:
        if report is None or report.failed:
            trial.study.tell(trial, state=TrialState.FAIL)
            return
        if len(self._objectives) == 1:
            _tell_curve(trial, report.curve)  # Tune does not pass on the report at which it stops a trial
        if not report.last:
            trial.study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.study.tell(trial, [report.values[name] for name in self._objectives])

    def save(self, checkpoint_path: str) -> None:
        """Write everything to a file of Tune's snapshot."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self.__getstate__()))

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote; the time stays the one that was given."""
        self.__dict__.update({**pickle.loads(Path(checkpoint_path).read_bytes()), "_time": self._time})


def _draw(study: optuna.Study, space: Space, fixed: Mapping[str, Value]) -> tuple[optuna.Trial, dict[str, Value]]:
    """A trial of a study and its values, those that are not fixed from its sampler."""
    if fixed:
        study.enqueue_trial(dict(fixed))
    trial = study.ask()
    return trial, space.suggest(trial)


def _tell_curve(trial: optuna.Trial, curve: Sequence[float]) -> None:
    """The points that Optuna lacks: a trial that was begun again reports its last epoch once more, or went on unseen.

    Optuna keeps the first value of a step and warns about a second.
    """
    told = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    for epoch, value in enumerate(curve, start=1):
        if epoch not in told:
            trial.report(float(value), epoch)


def load_study(folder: Path) -> optuna.Study:
    """The study of a search, from the snapshot in its folder. The file is a pickle: read only what you wrote.

    Raises:
        SearchError: there is no snapshot.
    """
    files = sorted(folder.glob(SEARCHER_STATES), key=lambda file: file.stat().st_mtime)
    if not files:
        raise SearchError(f"{folder}: has no state of a search")
    try:
        study: optuna.Study = pickle.loads(files[-1].read_bytes())["_study"]
    except (AttributeError, ImportError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise SearchError(
            f"{files[-1]}: was written by another version of this project, or is damaged ({error})"
        ) from None
    return study


def _make_sampler(kind: str, seed: int, space: Space, scales: int = 1) -> BaseSampler:
    """``scales``: how many share the trials of a search."""
    start = 10 if scales == 1 else _START
    if kind == "curves":
        return CurveSampler(space, seed)
    if kind == "tpe":
        return TPESampler(
            seed=seed, multivariate=True, group=space.conditional, constant_liar=True, n_startup_trials=start
        )
    if kind == "gp":
        return GPSampler(seed=seed, n_startup_trials=start)
    if kind == "cmaes":
        return CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return RandomSampler(seed=seed)
