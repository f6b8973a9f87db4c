"""Decides what a free worker does: begin a new configuration, or continue a trial that waits after one of its epochs.

Where trials do not pause, none waits, and it chooses among new configurations alone.

Every option is worth its expected improvement over the best trial of its scale that has finished or is running, divided by a
power of its time: what it needs to its end, and its part of the training that follows the search, which costs the same
whatever is chosen here. So before a long confirmation, cheap networks are not preferred for a few saved seconds. Swersky,
Snoek and Adams ("Freeze-Thaw Bayesian Optimization", arXiv:1406.3896, 2014) decide in the same way with an information
criterion. Values and their uncertainty are those of `CurveModel`. The improvement is that of a *difference* between two
predictions: a near twin of the best trial differs from it by almost nothing, so it is worth little.
Trials that have begun without a report count as if their predicted ends had been observed (kriging believer), so that several
free workers get different things.

Trials of different scales are never compared. All scales share the model, and a free worker serves the scale on which the least
time has been spent.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from threadpoolctl import ThreadpoolController

from srcnn.tuning.algorithms.axes import Axes
from srcnn.tuning.algorithms.candidates import Candidates
from srcnn.tuning.algorithms.curve_model import CurveModel, Ends, ObservedCurves
from srcnn.tuning.algorithms.epoch_times import EpochTimes
from srcnn.tuning.algorithms.gaussian_process import Array
from srcnn.tuning.space.parameter import Float, Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.trials.past import PastTrial

__all__ = ["FINISHED", "Allocator", "KnownTrial", "Option", "State", "epochs_share"]

FINISHED = 3  #: trials per scale that finish or run whatever their chance is
_SHARE = 0.5  # value of `epochs_share` if nothing follows the search

#: State of a trial in a search whose trials pause.
State = Literal["running", "waiting", "finished", "stopped", "failed"]

_START = 3  # trials with a report before the model decides
_RANDOM = 8  # one in so many new configurations is drawn at random
_PARENTS = 5  # number of best configurations to vary
_COST_POWER = 0.5  # 1 prefers cheap networks too much: a search ends with one champion, not with a rate
_MOST = 150  # maximum number of trials in a fit, which limits its time
_SWITCH = 0.3  # time to pause one trial and start another, in seconds
_APART = 0.1  # two rates closer than this fraction of their range count as one
_CHANCE = 0.05  # probability to end above the best prediction below which a waiting trial is not continued


def epochs_share(later: float) -> float:
    """Return the share of the epochs of all trials after which no waiting trial continues, once `FINISHED` have finished.

    Epochs that are left out save time in the search alone, so they matter less if much training follows it. The share that is
    left out is a half, divided by the length of the search and what follows, relative to the search: a rule of this project.

    Args:
        later: training that follows, as a fraction of the full training of all trials.
    """
    return 1.0 - (1.0 - _SHARE) / (1.0 + later)


@dataclass
class KnownTrial:
    """What is known about one trial of the search."""

    params: Mapping[str, Value]
    scale: int
    macs: float  #: multiply-accumulate operations per pixel of the large image
    reference: bool = False  #: whether it is never paused
    curve: tuple[float, ...] = ()  #: objective after each finished epoch
    seconds: float = 0.0  #: time of these epochs
    state: State = "running"


@dataclass(frozen=True)
class Option:
    """The decision for a free worker, and what the model believed."""

    trial: str | None  #: id of the waiting trial to continue; None: begin a configuration
    params: Mapping[str, Value]
    by: Literal["random", "model"]
    predicted: float | None = None  #: predicted value after the last epoch
    spread: float | None = None  #: its standard deviation
    best: float | None = None  #: predicted value of the best trial of the scale that has finished or is running
    best_trial: str = ""  #: its id
    value: float | None = None  #: expected improvement per second
    rivals: int = 0  #: number of waiting trials that were compared


@functools.cache
def _thread_pools() -> ThreadpoolController:
    return ThreadpoolController()


class Allocator:
    """Decides between new configurations and waiting trials; see the module's docstring.

    Args:
        space: search space.
        seed: seed of the random draws.
        epochs: number of epochs of a full trial.
        past: trials of earlier searches, from whose curves the model learns too.
        later: training that follows the search, as a fraction of the full training of all trials.
    """

    def __init__(
        self, space: Space, seed: int, epochs: int, past: Sequence[PastTrial] = (), later: float = 0.0
    ) -> None:
        self._space, self._epochs, self._later = space, epochs, later
        self._source = random.Random(seed)
        self._axes = Axes(space)
        self._candidates = Candidates(space, self._source)
        self._model = CurveModel(len(space.parameters), epochs)
        self._rates = [name for name, p in space.parameters.items() if isinstance(p, Float) or name == "learning_rate"]
        sources = {name: number for number, name in enumerate(dict.fromkeys(one.source for one in past), start=1)}
        self._past = [(one, sources[one.source]) for one in past if one.curve and one.epochs == epochs][
            :_MOST
        ]  # the newest
        self.known: dict[str, KnownTrial] = {}
        self._begun = 0
        self._refused: set[tuple[Any, ...]] = set()
        self._times = EpochTimes(space, self._candidates)
        self.version = 0  #: changes with every change of what is known

    # What happened

    def begin(self, trial_id: str, trial: KnownTrial) -> None:
        """Record a new trial."""
        self.known[trial_id] = trial
        self.version += 1

    def note(self, trial_id: str, curve: tuple[float, ...], seconds: float) -> bool:
        """Record a report. Return whether it has an epoch that was not known."""
        trial = self.known[trial_id]
        if len(curve) <= len(trial.curve):
            return False
        added = len(curve) - len(trial.curve)
        trial.curve, trial.seconds = curve, trial.seconds + seconds * added
        self.version += 1
        return True

    def refuse(self, params: Mapping[str, Value]) -> None:
        """Record that a configuration cannot begin, so that it is not chosen again."""
        self._refused.add(self._candidates.key(params))
        self.version += 1

    def change(self, trial_id: str, state: State) -> None:
        """Record that a trial is running, waits, or has ended."""
        self.known[trial_id].state = state
        self.version += 1

    def count(self, *states: State, scale: int | None = None) -> int:
        """Return the number of trials in some states."""
        return sum(t.state in states for t in self.known.values() if scale is None or t.scale == scale)

    def spent(self, scale: int) -> float:
        """Return the time spent on a scale in seconds; running trials count until the end of their current epoch."""
        here = [t for t in self.known.values() if t.scale == scale]
        return sum(t.seconds + (self._second(t) if t.state == "running" else 0.0) for t in here)

    # What next

    def choose(
        self, scale: int, begin: bool, held: Mapping[str, Value] | None = None, current: str = ""
    ) -> Option | None:
        """Return the decision for a free worker.

        Args:
            scale: upscaling factor.
            begin: whether a new configuration may begin.
            held: the only new configuration to consider; None: the best one of many candidates.
            current: id of the trial whose report made the worker free; continuing it needs no switch.

        Returns:
            The decision; None if there is nothing worth the time.
        """
        # On busy cores, linear algebra with several threads is ten times slower than with one.
        with _thread_pools().limit(limits=1):
            return self._choose(scale, begin, held, current)

    def _choose(self, scale: int, begin: bool, held: Mapping[str, Value] | None, current: str) -> Option | None:
        here = {k: t for k, t in self.known.items() if t.scale == scale}
        waiting = [k for k, t in here.items() if t.state == "waiting" or k == current]
        told = sum(bool(t.curve) for t in self.known.values())
        if told + (3 * bool(self._past)) < _START:
            if begin:
                return self._new_at_random(scale, held, len(waiting))
            return Option(waiting[0], here[waiting[0]].params, "random", rivals=len(waiting)) if waiting else None
        if begin and held is None and self._begun % _RANDOM == _RANDOM - 1 and not current:
            self._begun += 1
            return self._new_at_random(scale, None, len(waiting))
        rows = self._fit()
        waiting = [k for k in waiting if k in rows]
        inside = [k for k in rows if self.known[k].scale == scale]
        new = self._new_candidates(scale, inside, held) if begin else []
        if not new and not waiting:
            return None
        ends = self._model.ends([rows[k] for k in inside], self._places(new))
        options = [inside.index(k) for k in waiting] + list(range(len(inside), len(inside) + len(new)))
        base = [
            i
            for i, k in enumerate(inside)
            if here[k].state in ("finished", "running") and here[k].curve and k != current
        ]
        if base:
            best = max(base, key=lambda i: float(ends.mean[i]))
            least, deviation = float(ends.mean[best]), ends.apart(best)[options]
        else:  # until a trial has finished, a promising one should
            best = int(np.argmax(ends.mean[: len(inside)])) if inside else -1
            least = float(ends.mean[: len(inside)].max() if inside else ends.mean.max()) - self._model.unit
            deviation = ends.deviation[options]
        z = (ends.mean[options] - least) / deviation
        gain = deviation * (z * ndtr(z) + np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))
        left = self._left([self.known[k] for k in waiting], new, scale)
        left += np.array([_SWITCH * (k != current) for k in waiting] + [_SWITCH] * len(new))
        if not new:  # a free worker does not train what will hardly become the best
            gain[self._hopeless(ends, inside, options)] = 0.0
        for at in np.argsort(-gain / left**_COST_POWER):
            if gain[at] <= 0.0:
                return None
            i = options[at]
            params = self.known[inside[i]].params if i < len(inside) else new[i - len(inside)]
            if i >= len(inside) and held is None and self._candidates.first_allowed([dict(params)]) is None:
                continue
            self._begun += i >= len(inside)
            return Option(
                inside[i] if i < len(inside) else None,
                params,
                "model",
                float(ends.mean[i]),
                float(ends.deviation[i]),
                float(ends.mean[best]) if base else None,
                inside[best] if base else "",
                float(gain[at] / left[at]),
                len(waiting),
            )
        return None

    def _hopeless(self, ends: Ends, inside: Sequence[str], waiting: Sequence[int]) -> NDArray[np.bool_]:
        """Return which waiting trials will hardly end above the one with the best predicted end.

        None of them, as long as few trials of the scale have finished or are running.
        """
        states = [self.known[k].state for k in inside]
        alive = [i for i, state in enumerate(states) if state in ("finished", "running", "waiting")]
        if not waiting or sum(state in ("finished", "running") for state in states) < FINISHED:
            return np.zeros(len(waiting), dtype=bool)
        leader = max(alive, key=lambda i: float(ends.mean[i]))
        apart = ends.apart(leader)[list(waiting)]
        return np.asarray(ndtr((ends.mean[list(waiting)] - ends.mean[leader]) / apart) < _CHANCE)

    def exhausted(self, scale: int, trials: int) -> bool:
        """Return whether the waiting trials of a scale have had their share, if no other trial can begin.

        Args:
            scale: upscaling factor.
            trials: number of trials of the scale.
        """
        used = sum(len(t.curve) for t in self.known.values() if t.scale == scale)
        return (
            used >= epochs_share(self._later) * trials * self._epochs
            and self.count("finished", scale=scale) >= FINISHED
        )

    # Parts of a decision

    def _new_at_random(self, scale: int, held: Mapping[str, Value] | None, rivals: int) -> Option | None:
        fixed = self._fixed(scale)
        params = (
            held if held is not None else self._candidates.first_allowed(self._candidates.draw(self._ran, fixed, ()))
        )
        return None if params is None else Option(None, params, "random", rivals=rivals)

    def _fixed(self, scale: int) -> dict[str, Value]:
        return {"scale": scale} if "scale" in self._space.parameters else {}

    @property
    def _ran(self) -> set[tuple[Any, ...]]:
        return {self._candidates.key(t.params) for t in self.known.values()} | self._refused

    def _fit(self) -> dict[str, int]:
        """Fit the model to the latest and the best trials. Return their rows by id."""
        told = [k for k, t in self.known.items() if t.curve or t.state in ("failed", "running")]
        if len(told) > _MOST:
            latest = told[-_MOST // 3 :]
            last = {k: self.known[k].curve[-1] if self.known[k].curve else -math.inf for k in told}
            others = sorted(set(told) - set(latest), key=lambda k: (self.known[k].state == "running", last[k]))
            chosen = {*latest, *others[len(latest) - _MOST :]}
            told = [k for k in told if k in chosen]
        trials = [self.known[k] for k in told]
        self._model.fit(
            ObservedCurves(
                self._places([*(t.params for t in trials), *(one.params for one, _ in self._past)]),
                [*(t.curve for t in trials), *(one.curve for one, _ in self._past)],
                [*(t.state == "failed" for t in trials), *(one.failed for one, _ in self._past)],
                [*(0 for _ in trials), *(source for _, source in self._past)],
            )
        )
        rows = {k: row for row, k in enumerate(told)}
        self._model.believe(
            [row for k, row in rows.items() if not self.known[k].curve and self.known[k].state == "running"]
        )
        return rows

    def _places(self, rows: Sequence[Mapping[str, Value]]) -> list[Array]:
        if rows:
            return self._axes.places(rows)
        return [p[:0] for p in self._axes.places([next(iter(self.known.values())).params])]

    def _new_candidates(
        self, scale: int, inside: Sequence[str], held: Mapping[str, Value] | None
    ) -> list[Mapping[str, Value]]:
        """Return configurations that may begin: none that ran, and no near twin of one, if there are others."""
        if held is not None:
            return [held]
        best = sorted(inside, key=lambda k: self.known[k].curve[-1:] or (-math.inf,), reverse=True)[:_PARENTS]
        found = self._candidates.draw(self._ran, self._fixed(scale), [self.known[k].params for k in best])
        near = self._near([t.params for t in self.known.values() if t.scale == scale], found)
        return [row for row, twin in zip(found, near, strict=True) if not twin] or list(found)

    def _near(self, ran: Sequence[Mapping[str, Value]], rows: Sequence[Mapping[str, Value]]) -> list[bool]:
        """Return for each row whether a configuration that ran differs from it by a slightly different rate only."""
        if not self._rates or not rows or not ran:
            return [False] * len(rows)
        near = np.ones((len(rows), len(ran)), dtype=bool)
        both = zip(self._candidates.names, self._axes.places(rows), self._axes.places(ran), strict=True)
        for name, a, b in both:
            apart = np.abs(a[:, None, :] - b[None, :, :]).max(axis=-1)
            near &= apart < (_APART if name in self._rates else 1e-9)
        return [bool(row.any()) for row in near]

    def _second(self, trial: KnownTrial) -> float:
        """Return the time of an epoch of a trial that has begun, in seconds; that of the scale's trials by its size at first."""
        if trial.curve:
            return trial.seconds / len(trial.curve)
        return float(self._times.predict(self._measured(trial.scale), np.array([trial.macs]))[0])

    def _left(self, waiting: Sequence[KnownTrial], new: Sequence[Mapping[str, Value]], scale: int) -> Array:
        """Return the time until the end of each option with its part of the training that follows the search, in seconds."""
        left = [self._second(t) * max(1, self._epochs - len(t.curve)) for t in waiting]
        macs, measured = np.array([self._times.macs(params) for params in new]), self._measured(scale)
        full = float(np.mean([seconds for _, seconds in measured])) * self._epochs if measured else 0.0
        both = np.concatenate([np.array(left), self._times.predict(measured, macs) * self._epochs])
        return both + self._later * full

    def _measured(self, scale: int) -> list[tuple[float, float]]:
        """Return size and time of an epoch of the trials of a scale; of all scales as long as it has none."""
        told = [t for t in self.known.values() if t.curve and t.seconds > 0]
        return [(t.macs, t.seconds / len(t.curve)) for t in [t for t in told if t.scale == scale] or told]
