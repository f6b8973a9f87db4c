"""Estimates of the true quality of the configurations in a recorded table.

The highest of many means is partly high by chance, and so is the run by which a search chose a configuration. Here nothing is
judged by the runs that chose it:

- The **quality of the best** is the cross-validation estimate of the maximum of several means (van Hasselt, "Estimating the
  Maximum Expected Value", arXiv:1302.7175, 2013): each seed in turn is left out, the others choose a configuration, and the
  left-out seed measures it. The expectation of the mean of these values is never above the true value; that of the plain
  maximum of the means is never below it.
- The **regret** of a trial is this quality minus the mean of the *other* runs of its configuration, which the search did not
  see. The regret of one trial may be negative; only the mean over many repetitions is meaningful.
- The **noise** of one run is the standard deviation between seeds, pooled over the configurations without a failed run.
  A configuration is **among the best** if the mean of its runs is not below the quality of the best by more than the
  noise of this comparison: t(0.95, pooled degrees of freedom) times sd * sqrt(1 / its runs + 1 / runs of the best), a
  one-sided test at 5 % (Student's t with pooled variance).

A table with one run per configuration does not allow this. Its values are then those of the runs that the search saw,
and only the best configuration is among the best.
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

_LEVEL = 0.95  # confidence level of the one-sided test


@dataclass(frozen=True)
class TableTruth:
    """Estimated quality of the configurations of a table, in dB, judged by runs that were not used for choosing."""

    best: float  #: quality of the best configuration, by seeds that did not choose it, in dB
    noise: float  #: standard deviation of one run between seeds, in dB; NaN if no configuration has two seeds
    degrees: int  #: degrees of freedom of the noise
    tolerance: tuple[float, ...]  #: per configuration: difference to the best, in dB, up to which it is among the best
    among_best: NDArray[np.bool_]  #: per configuration: whether it is among the best
    regret: tuple[
        tuple[float, ...], ...
    ]  #: regret per configuration and run, in dB, by the other runs; infinite if one failed

    @classmethod
    def of(cls, table: CurveTable, tolerance: float | None = None) -> Self:
        """Compute the estimates for a table.

        Args:
            table: recorded curves.
            tolerance: tolerance in dB, instead of the noise of the comparison.
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
        # With a very small tolerance the best mean may be below the estimate; this configuration is among the best nevertheless.
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
        """Median of the tolerances, in dB, which equals all of them if all configurations have equally many runs."""
        return float(np.median(self.tolerance))


def _held_out_best(gains: list[NDArray[np.float64]]) -> float:
    """Return the mean over seeds of the left-out value of the configuration that the other seeds choose.

    Configurations with a failed run are not considered.
    """
    steady = [values for values in gains if len(values) > 1 and np.isfinite(values).all()]
    found = []
    for left_out in range(max(map(len, steady))):
        # If a configuration has fewer runs than others, its own runs are left out cyclically.
        chosen = max(steady, key=lambda values: float(np.delete(values, left_out % len(values)).mean()))
        found.append(float(chosen[left_out % len(chosen)]))
    return float(np.mean(found))


def _others(values: NDArray[np.float64]) -> list[float]:
    """Return for each run the mean of the other runs; for a single run its own value."""
    if len(values) == 1:
        return [float(values[0])]
    return [float(np.delete(values, i).mean()) for i in range(len(values))]
