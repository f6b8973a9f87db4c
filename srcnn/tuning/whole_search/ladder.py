"""Who climbs the ladder of a confirmation: candidates of a search, their order, and the order after a rung.

Finalists differ in architecture. Configurations that differ only in their training, such as three learning rates of one network,
are *twins*: the one with the best result represents the architecture. A twin takes a place only if there are fewer architectures
than places.

A network that fails on a drawn pattern (`srcnn.evaluation.drawn_patterns`) has its place behind all that do not, unless the
settings allow it. A trial that was not measured, since it did not finish, does not count as failing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from srcnn.config.architecture import ModelConfig
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.trials.outcome import Outcome
from srcnn.tuning.trials.result import TrialResult

__all__ = ["Order", "after_rung", "candidates", "displaced", "distinct_first", "places"]

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


def places(ranked: Sequence[TrialResult], *, allow_artefacts: bool = False) -> list[TrialResult]:
    """Return ranked trials in the order in which they get a place: first of its architecture, then twins; artefacts last.

    Args:
        ranked: trials, the best first.
        allow_artefacts: whether a network with artefacts keeps its place.
    """
    if allow_artefacts:
        return distinct_first(ranked)
    ranked = sorted(ranked, key=lambda row: row.has_artefacts)  # a twin without artefacts represents its architecture
    return sorted(distinct_first(ranked), key=lambda row: row.has_artefacts)


def displaced(by_results: Order, order: Order, count: int) -> Order:
    """Return by scale the trials with artefacts that would be among the first ``count`` if their artefacts were allowed.

    Args:
        by_results: the order in which artefacts are allowed.
        order: the order in which they are not.
        count: number of places.
    """
    lost = {
        scale: [row for row in ranked[:count] if row.has_artefacts and row not in order[scale][:count]]
        for scale, ranked in by_results.items()
    }
    return {scale: rows for scale, rows in lost.items() if rows}


def candidates(plan: Plan, rows: Sequence[TrialResult], *, allow_artefacts: bool | None = None) -> Order:
    """Return the finalists of a search, each scale's best first, without the paper's network, which needs no lower rung.

    Finished trials come first, by their objective. Trials that did not finish follow, by the end that is expected of them: their
    last value and the median of what finished trials of their scale gained from the same epoch on. A twin of the paper's network
    that is not better than it counts as a twin.

    Args:
        plan: the search.
        rows: its trials.
        allow_artefacts: as in `places`; None: as in the settings.
    """
    allowed = plan.settings.allow_artefacts if allow_artefacts is None else allow_artefacts
    found = {}
    for scale in plan.space.scales:
        ours = [row for row in rows if row.config.scale == scale]
        finished = [row for row in ours if row.outcome is Outcome.FINISHED]
        begun = [row for row in ours if row.outcome in (Outcome.STOPPED, Outcome.INTERRUPTED) and _curve(row)]
        ranked = sorted(finished, key=lambda row: row.objective, reverse=True)
        ranked += sorted(begun, key=lambda row: _expected(row, finished), reverse=True)
        found[scale] = [row for row in places(ranked, allow_artefacts=allowed) if not row.reference]
    return found


def after_rung(order: Order, results: Sequence[TrialResult], *, allow_artefacts: bool = False) -> Order:
    """Return the order after a rung: by its own results, which have a new seed and a larger budget.

    A trial that did not finish drops out. Where none of a scale finished, or none was trained, the order stays.
    ``allow_artefacts``: as in `places`.
    """
    found = dict(order)
    for scale in order:
        finished = [row for row in results if row.config.scale == scale and row.outcome is Outcome.FINISHED]
        if finished:
            ranked = sorted(finished, key=lambda row: row.objective, reverse=True)
            found[scale] = places(ranked, allow_artefacts=allow_artefacts)
    return found


def _curve(row: TrialResult) -> tuple[float, ...]:
    return () if row.report is None or row.report.failed else row.report.curve


def _expected(row: TrialResult, finished: Sequence[TrialResult]) -> float:
    """Return the objective expected at the end of a trial that did not finish."""
    curve = _curve(row)
    gained = [_curve(one)[-1] - _curve(one)[len(curve) - 1] for one in finished if len(_curve(one)) >= len(curve)]
    return curve[-1] + (median(gained) if gained else 0.0)
