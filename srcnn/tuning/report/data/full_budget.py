"""Gains at the full budget, also of trials that were stopped before.

A stopped trial counts at its rung: it keeps the gain that it had there, plus what trials gained from there to the end. The second
part is a sum of medians, one for each further epoch, of the trials that trained it. So trials of all budgets can be compared, but
the value of a stopped one is an estimate: what goes on is what promised most, so it may be too high for the worst.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["AtEnd", "at_full_budget"]


@dataclass(frozen=True)
class AtEnd:
    """A trial with its gain at the full budget."""

    child: Child
    gain: float  #: over bicubic on the validation images, in dB
    measured: bool  #: whether the trial finished; else the gain is an estimate


def at_full_budget(children: Sequence[Child]) -> list[AtEnd]:
    """Return the trials that reported a gain, in the same order. Failed ones are left out: a fault says little about a network.

    Args:
        children: trials of one scale.
    """
    known = [
        child for child in children if child.outcome is not Outcome.FAILED and (child.curve or child.gain is not None)
    ]
    best = [list(itertools.accumulate((gain for _, gain in child.curve), max)) for child in known]
    length = max(map(len, best), default=0)
    growth = []
    for epoch in range(1, length):
        steps = [curve[epoch] - curve[epoch - 1] for curve in best if len(curve) > epoch]
        growth.append(statistics.median(steps))
    found = []
    for child, curve in zip(known, best, strict=True):
        measured = child.outcome is Outcome.FINISHED
        gain = child.gain if child.gain is not None else curve[-1]
        more = 0.0 if measured or not curve else sum(growth[len(curve) - 1 :])
        found.append(AtEnd(child, gain + more, measured))
    return found
