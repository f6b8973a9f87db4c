"""Who climbs the ladder of a confirmation: candidates of a search, their order, and the order after a rung.

Finalists differ in architecture. Configurations that differ only in their training, such as three learning rates of one network,
are *twins*: the one with the best result represents the architecture. A twin takes a place only if there are fewer architectures
than places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from srcnn.config.architecture import ModelConfig
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult

__all__ = ["Order", "after_rung", "candidates", "distinct_first"]

Order = Mapping[int, Sequence[TrialResult]]  #: candidates by scale, the best first


def distinct_first(ranked: Sequence[TrialResult]) -> list[TrialResult]:
    """Return ranked trials with the first of each architecture before all twins; both parts keep their order."""
    seen: set[ModelConfig] = set()
    leaders, twins = list[TrialResult](), list[TrialResult]()
    for row in ranked:
        architecture = row.config.architecture
        (twins if architecture in seen else leaders).append(row)
        seen.add(architecture)
    return leaders + twins


def candidates(plan: Plan, rows: Sequence[TrialResult]) -> Order:
    """Return the finalists of a search, each scale's best first, without the paper's network, which needs no lower rung.

    Finished trials come first, by their objective. Trials that did not finish follow, by the end that is expected of them: their
    last value and the median of what finished trials of their scale gained from the same epoch on. A twin of the paper's network
    that is not better than it counts as a twin.
    """
    found = {}
    for scale in plan.space.scales:
        ours = [row for row in rows if row.config.scale == scale]
        finished = [row for row in ours if row.outcome is Outcome.FINISHED]
        begun = [row for row in ours if row.outcome in (Outcome.STOPPED, Outcome.INTERRUPTED) and _curve(row)]
        ranked = sorted(finished, key=lambda row: row.objective, reverse=True)
        ranked += sorted(begun, key=lambda row: _expected(row, finished), reverse=True)
        found[scale] = [row for row in distinct_first(ranked) if not row.reference]
    return found


def after_rung(order: Order, results: Sequence[TrialResult]) -> Order:
    """Return the order after a rung: by its own results, which have a new seed and a larger budget.

    A trial that did not finish drops out. Where none of a scale finished, or none was trained, the order stays.
    """
    found = dict(order)
    for scale in order:
        finished = [row for row in results if row.config.scale == scale and row.outcome is Outcome.FINISHED]
        if finished:
            found[scale] = distinct_first(sorted(finished, key=lambda row: row.objective, reverse=True))
    return found


def _curve(row: TrialResult) -> tuple[float, ...]:
    return () if row.report is None or row.report.failed else row.report.curve


def _expected(row: TrialResult, finished: Sequence[TrialResult]) -> float:
    """Return the objective expected at the end of a trial that did not finish."""
    curve = _curve(row)
    gained = [_curve(one)[-1] - _curve(one)[len(curve) - 1] for one in finished if len(_curve(one)) >= len(curve)]
    return curve[-1] + (median(gained) if gained else 0.0)
