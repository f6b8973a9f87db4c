"""What a search predicted about its trials, beside what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["Belief", "Calibration", "beliefs", "calibration"]

_NORMAL = 1.96  # standard deviations of a normal distribution that contain 95 %


@dataclass(frozen=True)
class Belief:
    """Prediction of the end of a trial that finished later. Gains are over bicubic, in dB."""

    child: Child
    epoch: int  #: epochs that the trial had finished
    predicted: float
    spread: float | None  #: standard deviation of the prediction
    came: float


@dataclass(frozen=True)
class Calibration:
    """How predictions compare with what came."""

    count: int
    trials: int  #: number of trials that they are about
    bias: float  #: mean of prediction minus what came, in dB
    error: float  #: root of the mean squared difference, in dB
    inside: float | None  #: share of ends within 1.96 predicted standard deviations; None: no prediction has one


def beliefs(children: Sequence[Child]) -> list[Belief]:
    """Return all predictions about trials that finished, in the order of the trials and of time."""
    found = []
    for child in children:
        scale = child.scale
        if child.outcome is not Outcome.FINISHED or child.gain is None or scale not in PAPER_GAIN or scale is None:
            continue
        unit = PAPER_GAIN[scale]
        for decision in child.history.decisions:
            if decision.predicted is not None and decision.kind != "finish":
                spread = None if decision.spread is None else decision.spread * unit
                found.append(Belief(child, decision.epoch, decision.predicted * unit, spread, child.gain))
    return found


def calibration(found: Sequence[Belief]) -> Calibration | None:
    """Return a comparison of predictions with what came; None: there is none."""
    if not found:
        return None
    off = np.array([one.predicted - one.came for one in found])
    known = [abs(one.predicted - one.came) <= _NORMAL * one.spread for one in found if one.spread is not None]
    return Calibration(
        len(found),
        len({one.child.trial_id for one in found}),
        float(off.mean()),
        float(np.sqrt((off**2).mean())),
        sum(known) / len(known) if known else None,
    )
