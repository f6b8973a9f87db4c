"""What the configurations of a recorded table are truly worth, as far as its seeds can tell.

The best mean among many is high partly by luck, and so is the run by which a search picked a configuration. Nothing here is
judged by the runs that chose it:

- The **figure of the best** is the cross-validation estimate of the largest of several means (van Hasselt, "Estimating the
  Maximum Expected Value", arXiv:1302.7175, 2013): each seed in turn is left out, the others choose a configuration, and the
  one left out says what it is worth. The mean of these is never above the truth in expectation; the plain maximum of the
  means never below it.
- The **regret** of a trial is that figure less the mean of the *other* runs of its configuration, those which the search did
  not see. One trial's regret may lie below zero; the mean over many repetitions is what counts.
- The **noise** of one run is the standard deviation between seeds, pooled over the configurations of which no run failed. A
  configuration counts as **one of the best** where the mean of its runs is not below the figure of the best by more than the
  noise of that comparison: t(0.95, pooled degrees of freedom) times sd * sqrt(1 / its runs + 1 / the runs of the best), a
  one-sided test at 5 % (Student's t with a pooled variance).

A table with one run for each configuration tells none of this: its figures are then those of the runs that the search saw,
and only the best one counts as the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from srcnn.tuning.curves.curve_table import CurveTable
from srcnn.tuning.trials.objective import PAPER_GAIN

__all__ = ["TableTruth"]

_LEVEL = 0.95  # of the one-sided test


@dataclass(frozen=True)
class TableTruth:
    """A table's figures in dB, judged by runs that chose nothing."""

    best: float  #: what the best configuration is worth, by seeds that did not choose it
    noise: float  #: standard deviation of one run between seeds; NaN where no configuration has two
    degrees: int  #: of freedom of the noise
    tolerance: tuple[
        float, ...
    ]  #: of each configuration: how far its mean may lie below the best and count as one of them
    among_best: NDArray[np.bool_]  #: whether it counts
    regret: tuple[
        tuple[float, ...], ...
    ]  #: of each run of each configuration, by its other runs; infinite if one failed

    @classmethod
    def of(cls, table: CurveTable, tolerance: float | None = None) -> Self:
        """The figures of a table.

        Args:
            table: recorded curves.
            tolerance: dB that count as the same in place of the noise of the comparison.
        """
        gains = [
            np.array([-np.inf if c.failed else max(c.objective) for c in curves]) * PAPER_GAIN[table.scale]
            for curves in table.curves
        ]
        alive = [values for values in gains if np.isfinite(values).all()]
        degrees = sum(len(values) - 1 for values in alive)
        squares = sum(float(((values - values.mean()) ** 2).sum()) for values in alive)
        noise = math.sqrt(squares / degrees) if degrees else math.nan
        chosen = int(table.quality.argmax())
        best = _held_out_best(gains) if degrees else float(table.quality[chosen])
        if tolerance is not None:
            allowed = [tolerance] * len(gains)
        elif degrees:
            each = float(t.ppf(_LEVEL, degrees)) * noise
            allowed = [each * math.sqrt(1 / len(values) + 1 / len(gains[chosen])) for values in gains]
        else:
            allowed = [0.0] * len(gains)
        among = table.quality >= best - np.array(allowed)
        # With a tolerance of nearly nothing the best by its mean may fall short of the estimate: it is one of them still.
        among[chosen] = True
        return cls(
            best,
            noise,
            degrees,
            tuple(allowed),
            among,
            tuple(tuple(best - other for other in _others(values)) for values in gains),
        )

    @property
    def usual_tolerance(self) -> float:
        """The median of the tolerances, which is that of all configurations where they have equally many runs."""
        return float(np.median(self.tolerance))


def _held_out_best(gains: list[NDArray[np.float64]]) -> float:
    """What the configuration that all seeds but one choose is worth on that one, on average; of those that never fail."""
    steady = [values for values in gains if len(values) > 1 and np.isfinite(values).all()]
    found = []
    for left_out in range(max(map(len, steady))):
        # A configuration with fewer runs than others leaves its own out in turn.
        chosen = max(steady, key=lambda values: float(np.delete(values, left_out % len(values)).mean()))
        found.append(float(chosen[left_out % len(chosen)]))
    return float(np.mean(found))


def _others(values: NDArray[np.float64]) -> list[float]:
    """The mean of the other runs, for each; of a single run its own."""
    if len(values) == 1:
        return [float(values[0])]
    return [float(np.delete(values, i).mean()) for i in range(len(values))]
