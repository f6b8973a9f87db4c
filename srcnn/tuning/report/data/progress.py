"""Best gain so far of a search at one scale, against time and compute, and what random search could expect.

Compute is counted in full trainings: training pixels of all trials of the scale, divided by the budget of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.tuning.report.data.full_budget import at_full_budget
from srcnn.tuning.report.data.search_data import Child

__all__ = ["FEWEST_RANDOM", "Progress", "RandomDraws", "expected_best", "progress", "random_draws"]

FEWEST_RANDOM = 5  #: minimum number of trials that were drawn at random, for an expectation from these alone


@dataclass(frozen=True)
class Progress:
    """Best so far after each report of any trial, in the order of time."""

    seconds: tuple[float, ...]  #: after the start of the search
    trainings: tuple[float, ...]  #: compute so far, in full trainings
    gains: tuple[float, ...]  #: best gain so far over bicubic on the validation images, in dB
    leaders: tuple[tuple[int, Child], ...]  #: reports at which another trial took the lead, with it


@dataclass(frozen=True)
class RandomDraws:
    """Gains of configurations as random search would draw them."""

    gains: tuple[float, ...]  #: at the full budget, in dB
    at_random: bool  #: whether the trials were drawn at random; else they are all trials, which flatters random search
    estimated: int  #: number of gains that are estimates, since the trial was stopped


def progress(children: Sequence[Child], budget: float, zero: float) -> Progress | None:
    """Return the progress of the trials of one scale; None: no report has a time.

    Args:
        children: trials of the stage ``search``.
        budget: training pixels of a full training.
        zero: time of the search's start, in seconds since 1970.
    """
    reports = []
    for child in children:
        before = 0.0
        for (pixels, gain), time in zip(child.curve, child.history.times, strict=False):
            reports.append((time - zero, pixels - before, gain, child))
            before = pixels
    if not reports:
        return None
    reports.sort(key=lambda report: report[0])
    spent, best, leader = 0.0, -math.inf, ""
    seconds, trainings, gains, leaders = [], [], [], []
    for place, (time, pixels, gain, child) in enumerate(reports):
        spent += pixels / budget
        if gain > best:
            best = gain
            if child.trial_id != leader:
                leaders.append((place, child))
                leader = child.trial_id
        seconds.append(time)
        trainings.append(spent)
        gains.append(best)
    return Progress(tuple(seconds), tuple(trainings), tuple(gains), tuple(leaders))


def random_draws(children: Sequence[Child]) -> RandomDraws | None:
    """Return what random search would draw from: the trials that were drawn at random, or all if these are too few.

    The paper's network is left out, since nobody drew it. None: there are too few trials.
    """
    found = [one for one in at_full_budget(children) if not one.child.reference]
    drawn = [one for one in found if any(d.kind == "start" and d.by == "random" for d in one.child.history.decisions)]
    at_random = len(drawn) >= FEWEST_RANDOM
    used = drawn if at_random else found
    if len(used) < FEWEST_RANDOM:
        return None
    return RandomDraws(tuple(one.gain for one in used), at_random, sum(not one.measured for one in used))


def expected_best(gains: Sequence[float], counts: Sequence[int]) -> NDArray[np.float64]:
    """Return the expected maximum of so many random draws with replacement from some gains, for each count.

    With n gains in ascending order, the maximum of k draws is at most the i-th with probability (i / n)^k.

    >>> expected_best([1.0, 2.0], [1, 2]).tolist()
    [1.5, 1.75]
    """
    ascending = np.sort(np.asarray(gains, dtype=np.float64))
    share = np.arange(len(ascending) + 1) / len(ascending)
    return np.array([float(ascending @ np.diff(share**count)) for count in counts])
