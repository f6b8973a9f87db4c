"""Ray Tune searcher that uses Optuna's samplers and reports the correct state of each trial to Optuna.

Tune's OptunaSearch reports a trial that was stopped early as COMPLETE, with the value at its partial budget, so that the
sampler learns that good configurations are bad. Here a stopped trial is PRUNED with its whole curve, a failed trial is FAIL,
and only a finished trial is COMPLETE. The study is kept in memory and saved in Tune's snapshots. A separate store would be
newer than the snapshot from which a search is restored, and inconsistent with it.

A configuration that has already been run, or that violates a constraint, is reported as FAIL with the reason (user attribute
``skipped``), and the sampler is asked again.

The scale of the next trial (the one with the fewest trials) is fixed before the sampler is asked, and the other values are
drawn given that scale. The sampler ``curves`` is not one of Optuna's: it is the model of curves of
`srcnn.tuning.algorithms.allocator.Allocator`, one for all scales, with every scheduler. Optuna's TPE, Gaussian process
and CMA-ES cannot condition on a value: a fixed value replaces the one of a joint sample, whose other values were drawn for a
different scale. So they use a separate study for each scale, in which the scale is constant. The study over all scales, which
other modules read, has a copy of every trial.
"""

from __future__ import annotations

import pickle
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from ray.tune.search import Searcher

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, SearchError
from srcnn.model.network import count_macs
from srcnn.tuning.adapters.ray_internals import SEARCHER_STATES
from srcnn.tuning.algorithms.allocator import Allocator, KnownTrial, Option
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.algorithms.method_names import SAMPLERS
from srcnn.tuning.algorithms.pauses import Pauses
from srcnn.tuning.algorithms.reasons import Reasons
from srcnn.tuning.algorithms.stage_time import StageTime
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.objective import METRIC, OBJECTIVES
from srcnn.tuning.trials.past import PastTrial
from srcnn.tuning.trials.report import TrialReport
from srcnn.tuning.trials.spec import TrialSpec

__all__ = ["SAMPLERS", "StudySearcher", "load_study"]

#: Samplers that cannot condition on a scale, so that they need a separate study for each scale.
_APART = ("tpe", "gp", "cmaes")

_START = 6  # random trials per scale before its sampler learns, if there are several scales; for one scale Optuna's default, 10
_TRIES = 30  # suggestions of the sampler that may be rejected before configurations are drawn at random
_DRAWS = 2000  # random configurations that may be rejected before the space counts as exhausted


_Found = tuple[tuple[optuna.Trial, ...], dict[str, Value], TrainConfig, bool]  # the last one: whether it is a reference


class StudySearcher(Searcher):  # type: ignore[misc]
    """Searcher that suggests configurations from a `Space`, distributed evenly over its scales, and none twice.

    Args:
        space: search space.
        seed: seed of the sampler.
        overrides: fields with the same value in all trials of the search, such as the budget.
        first: parameter values (possibly only of some parameters) of the first trials, before anything is sampled.
        references: how many of ``first``, from the start, are reference trials, which no scheduler stops.
        sampler: one of `SAMPLERS`.
        objectives: names from `OBJECTIVES`; with several, the study has no curves, because Optuna supports them only for one.
        pauses: whether trials pause and continue (`srcnn.tuning.algorithms.freeze_thaw.FreezeThaw` is the scheduler). Then the
            model of curves decides about every free worker, and other samplers only propose what may begin.
        epochs: number of reports of a full trial.
        past: trials of earlier searches, from which the model of curves learns.
        later: training that follows the search, as a fraction of the full training of all trials, if trials pause.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        overrides: Mapping[str, Any],
        first: Sequence[Mapping[str, Value]] = (),
        references: int = 0,
        sampler: str = "tpe",
        objectives: Sequence[str] = ("gain",),
        *,
        pauses: bool = False,
        epochs: int = EPOCHS,
        past: Sequence[PastTrial] = (),
        later: float = 0.0,
    ) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._space, self._overrides = space, dict(overrides)
        self._first = [dict(values) for values in first]
        self._references, self._objectives = references, tuple(objectives)
        self._source = random.Random(seed)
        self._last = False  # whether the search ends after the configurations in ``first``
        if sampler == "grid":
            rows = space.grid()
            self._source.shuffle(rows)  # so that a search that ends early has covered all parts of the grid
            self._first += rows
            self._last = True
        kind = "tpe" if sampler == "curves" and len(objectives) > 1 else sampler
        #: Model of all curves, which chooses configurations; None: the study's sampler chooses them.
        self._allocator = Allocator(space, seed, epochs, past, later) if pauses or kind == "curves" else None
        #: State of a search whose trials pause; None: they do not.
        self.pauses = Pauses(self._allocator, Reasons()) if pauses and self._allocator is not None else None
        #: What was decided about the trials, and why; kept if the model of curves decides.
        self.reasons = Reasons() if self.pauses is None else self.pauses.reasons
        self._choice: Option | None = None  # why the next trial begins; None: it was given
        self._proposes = kind != "curves"  # whether the study's sampler proposes new configurations
        if kind == "curves":
            kind = "random"  # of the study, which is never asked for a value
        directions, scales = [OBJECTIVES[name].direction for name in objectives], space.scales
        apart = kind in _APART and len(scales) > 1
        #: Study over all scales. If each scale has a separate study, this one gets copies of their trials.
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
        self._held: dict[int, _Found] = {}  # proposals of the study's samplers that have not begun, by scale

    def use_time(self, time: StageTime) -> None:
        """Set the time budget of the stage; without one, time is unlimited. It is not pickled."""
        self._time = time

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_time": StageTime()}

    @property
    def study(self) -> optuna.Study:
        """Study over all scales; each of Tune's trials has one Optuna trial, with its id in the user attribute ``trial_id``."""
        return self._study

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next trial, a `TrialSpec` in Tune's form; called by Tune."""
        # The first trial is suggested even if the time is up, because a search without trials has no result.
        # It ends at its first report.
        if self._time.is_up and self._per_scale.total():
            if self.pauses is not None:
                self.pauses.over = True
            return str(Searcher.FINISHED)
        if self.pauses is not None:
            return self._suggest_or_continue(self.pauses, trial_id)
        self._choice = None
        found = self._next()
        if found is None:
            return str(Searcher.FINISHED)
        if self._allocator is not None:
            self.reasons.keep(trial_id, "start", 0, self._choice)
        return self._begin(trial_id, found)

    def _begin(self, trial_id: str, found: _Found) -> dict[str, Any]:
        trials, params, config, reference = found
        self._seen.add(config.model_dump_json())
        self._per_scale[config.scale] += 1
        for trial in trials:
            trial.set_user_attr("trial_id", trial_id)
        self._trials[trial_id] = trials
        if self._allocator is not None:
            self._allocator.begin(trial_id, KnownTrial(params, config.scale, count_macs(config), reference))
            self.reasons.names[trial_id] = TrialSpec(config, params).name
        return TrialSpec(config, params, reference).to_tune()

    def _suggest_or_continue(self, pauses: Pauses, trial_id: str) -> dict[str, Any] | str | None:
        """Return a new trial; None if a free worker continues a waiting one, or none is free; FINISHED at the end."""
        if pauses.over:
            return str(Searcher.FINISHED)
        if not pauses.has_room:
            return None
        if (first := pauses.take_first()) is not None:
            pauses.resume(first, None)
            return None
        given = None if pauses.full(self._per_scale.total()) else self._next_first()
        if given is not None:
            pauses.reasons.keep(trial_id, "start", 0, None)
            return self._begin(trial_id, given)
        if pauses.idle:
            return None
        for scale in sorted(self._per_scale, key=lambda s: (pauses.allocator.spent(s), self._per_scale[s], s)):
            for _ in range(_TRIES):
                option = self._option(pauses, scale)
                if option is None:
                    break
                if option.trial is not None:
                    pauses.resume(option.trial, option)
                    return None
                found = self._new(option, scale)
                if found is not None:
                    pauses.reasons.keep(trial_id, "start", 0, option)
                    return self._begin(trial_id, found)
                pauses.allocator.refuse(option.params)  # for example, other values gave the same network before
        return str(Searcher.FINISHED) if pauses.nothing_to_do() else None

    def _option(self, pauses: Pauses, scale: int, current: str = "") -> Option | None:
        # Trials are distributed evenly over the scales.
        begin = not pauses.full(self._per_scale.total()) and self._per_scale[scale] <= min(self._per_scale.values())
        held = None
        if begin and self._proposes:
            if scale not in self._held:
                proposal = self._next({"scale": scale} if "scale" in self._space.parameters else {})
                if proposal is not None:
                    self._held[scale] = proposal
            begin = scale in self._held
            held = self._held[scale][1] if begin else None
        return pauses.option(scale, begin, held, self._per_scale, current)

    def _new(self, option: Option, scale: int) -> _Found | None:
        if self._proposes:
            return self._held.pop(scale)
        asked = self._ask(option.params)
        return None if asked is None else (*asked, False)

    def continues(self, trial_id: str, report: TrialReport, *, keep: bool = False) -> bool:
        """Record a report of a trial that may pause, and return whether it continues now; otherwise it waits.

        Args:
            trial_id: the trial.
            report: its report.
            keep: whether it continues in any case.
        """
        assert self.pauses is not None, "trials pause"
        if self.pauses.must_continue(trial_id, report) or keep or self._time.is_up:
            return True
        option = self._option(self.pauses, self.pauses.allocator.known[trial_id].scale, current=trial_id)
        if option is not None and option.trial == trial_id:
            return True
        self.pauses.pause(trial_id, report.epoch, option)
        return False

    def _next_first(self) -> _Found | None:
        """Return the next of the given trials that can be run; None if there is none."""
        while self._first:
            reference, fixed = self._references > 0, self._first.pop(0)
            self._references -= reference
            found = self._ask(fixed)
            if found is not None:
                return *found, reference
        return None

    def _next(self, fixed: Mapping[str, Value] = MappingProxyType({})) -> _Found | None:
        given = self._next_first()
        if given is not None or self._last:
            return given
        for _ in range(_TRIES):
            chosen = self._chosen(fixed)
            found = self._ask(fixed if chosen is None else chosen)
            if found is not None:
                return *found, False
            if chosen is not None and self._allocator is not None:
                self._allocator.refuse(chosen)  # for example, other values gave the same network before
        # The sampler repeats good configurations that have already been run. Draw from the remaining ones at random.
        for _ in range(_DRAWS):
            params = self._space.draw(self._source, self._next_scale(fixed))
            if not self._refused(params):
                found = self._ask(params)
                if found is not None:
                    self._choice = Option(None, params, "random")
                    return *found, False
        return None

    def _chosen(self, fixed: Mapping[str, Value]) -> Mapping[str, Value] | None:
        """Return the configuration that the model of curves chooses for the next scale; None: another sampler chooses."""
        if self._proposes or self._allocator is None:
            return None
        scale = int(str(self._next_scale(fixed).get("scale", self._space.scales[0])))
        chosen = self._allocator.choose(scale, begin=True)
        self._choice = chosen or Option(None, {}, "random")  # nothing was chosen: the study draws at random
        return None if chosen is None else chosen.params

    def _next_scale(self, fixed: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values with a scale: that with the fewest trials, unless they contain one."""
        if "scale" not in self._space.parameters or "scale" in fixed:
            return dict(fixed)
        return {**fixed, "scale": min(self._per_scale, key=lambda s: (self._per_scale[s], s))}

    def _ask(self, fixed: Mapping[str, Value]) -> tuple[tuple[optuna.Trial, ...], dict[str, Value], TrainConfig] | None:
        """Ask the sampler of a scale for a configuration.

        Returns:
            The Optuna trials (in the study of the scale, and in the study over all scales if that is another one), the
            values, and the configuration; None if the configuration is rejected.
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
        """Return the reason why a configuration cannot be run; empty if it can."""
        try:
            config = self._space.to_config(params, **self._overrides)
        except ConfigError as error:
            return str(error)
        if config.model_dump_json() in self._seen:
            return "ran already"
        return self._space.constraints.broken_by(config)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Add the points of a report to the curve of its trial in Optuna."""
        report = TrialReport.from_json(result)
        self._note(trial_id, report)
        if len(self._objectives) == 1 and not report.failed:
            for trial in self._trials[trial_id]:
                _tell_curve(trial, report.curve)

    def _note(self, trial_id: str, report: TrialReport) -> None:
        """Tell a report to the model of curves; where trials pause, the scheduler does it."""
        if self._allocator is not None and self.pauses is None:
            self._allocator.note(trial_id, report.curve, report.figures.cost_seconds if report.figures else 0.0)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the end of a trial to Optuna: COMPLETE after its last epoch, PRUNED if it was stopped early, else FAIL."""
        report = None if error else TrialReport.last_of(result)
        waited = self.pauses is not None and self.pauses.is_waiting(trial_id) and not error
        for trial in self._trials.pop(trial_id, ()):  # empty if it was reported before
            if waited:  # the search has ended, and the trial had not had its turn
                trial.study.tell(trial, state=TrialState.PRUNED)
            else:
                self._tell(trial, report)
        if self.pauses is not None:
            self.pauses.end(trial_id, report)
        elif self._allocator is not None and trial_id in self._allocator.known:
            if report is None or report.failed:
                self._allocator.change(trial_id, "failed")
            else:
                # Tune does not pass the report at which it stops a trial to on_trial_result.
                self._note(trial_id, report)
                self._allocator.change(trial_id, "finished" if report.last else "stopped")

    def _tell(self, trial: optuna.Trial, report: TrialReport | None) -> None:
        if report is None or report.failed:
            trial.study.tell(trial, state=TrialState.FAIL)
            return
        if len(self._objectives) == 1:
            # Tune does not pass the report at which it stops a trial to on_trial_result.
            _tell_curve(trial, report.curve)
        if not report.last:
            trial.study.tell(trial, state=TrialState.PRUNED)
        else:
            trial.study.tell(trial, [report.values[name] for name in self._objectives])

    def save(self, checkpoint_path: str) -> None:
        """Write the state of the searcher to a file of Tune's snapshot."""
        Path(checkpoint_path).write_bytes(pickle.dumps(self.__getstate__()))

    def restore(self, checkpoint_path: str) -> None:
        """Read the state from a file of `save`; the time budget remains the current one."""
        time, pauses = self._time, self.pauses
        self.__dict__.update(pickle.loads(Path(checkpoint_path).read_bytes()))
        self._time = time
        if self.pauses is not None and pauses is not None:
            self.pauses.restored(pauses)


def _draw(study: optuna.Study, space: Space, fixed: Mapping[str, Value]) -> tuple[optuna.Trial, dict[str, Value]]:
    """Create a trial of a study and return it with its values; values that are not fixed come from the study's sampler."""
    if fixed:
        study.enqueue_trial(dict(fixed))
    trial = study.ask()
    return trial, space.suggest(trial)


def _tell_curve(trial: optuna.Trial, curve: Sequence[float]) -> None:
    """Report those points of a curve that Optuna does not have.

    A restarted trial may report its last epoch again, or may have completed epochs without a report. Optuna keeps the first
    value of a step, and warns about a second one.
    """
    told = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    for epoch, value in enumerate(curve, start=1):
        if epoch not in told:
            trial.report(float(value), epoch)


def load_study(folder: Path) -> optuna.Study:
    """Return the study of a search from a snapshot. The file is a pickle, and the caller answers for it.

    Args:
        folder: folder of the snapshot.

    Raises:
        SearchError: there is no state of a searcher, or another version wrote it, or it is damaged.
    """
    files = sorted(folder.glob(SEARCHER_STATES), key=lambda file: file.stat().st_mtime)
    if not files:
        raise SearchError(f"{folder}: contains no state of a search")
    try:
        study: optuna.Study = pickle.loads(files[-1].read_bytes())["_study"]
    except (AttributeError, ImportError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise SearchError(
            f"{files[-1]}: was written by another version of this project, or is damaged ({error})"
        ) from None
    return study


def _make_sampler(kind: str, seed: int, space: Space, scales: int = 1) -> BaseSampler:
    """Return a sampler. ``scales`` is the number of scales over which the trials are distributed."""
    start = 10 if scales == 1 else _START
    if kind == "tpe":
        return TPESampler(
            seed=seed, multivariate=True, group=space.conditional, constant_liar=True, n_startup_trials=start
        )
    if kind == "gp":
        return GPSampler(seed=seed, n_startup_trials=start)
    if kind == "cmaes":
        return CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return RandomSampler(seed=seed)
