"""When which training ran: the spans of time in which a worker was busy with it, and what happened at their ends.

MLflow has the start and end of a run, the time of each report and the search's decisions, but not the worker. So spans are
reconstructed: a gap between two reports that is much longer than an epoch of the same trial is a pause (if the search paused it
there) or an interruption. Spans are then placed on as few rows as possible, so that a row is what one worker could have done.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from srcnn.tuning.report.data.search_data import Child
from srcnn.tuning.tracking import names
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["End", "Span", "timeline"]

End = Literal["finished", "stopped", "paused", "failed", "interrupted", "running"]

_GAP, _LEAST_GAP = 2.5, 2.0  # a gap is longer than so many epochs of the trial, and than so many seconds
_OVERLAP = 0.5  # epochs by which two spans of one row may overlap: a report reaches the driver a little late


@dataclass(frozen=True)
class Span:
    """Time in which a training ran without a break. Times are in seconds after the start of the search."""

    child: Child
    start: float
    end: float
    kind: End  #: what ended it
    resumed: bool  #: whether the training had run before
    row: int = 0


def timeline(children: Sequence[Child], zero: float) -> list[Span]:
    """Return the spans of some trainings, earliest first; trainings without times are left out.

    Args:
        children: trainings of a search.
        zero: time of the search's start, in seconds since 1970.
    """
    spans = [(span, _epoch(child)) for child in children for span in _spans(child, zero)]
    spans.sort(key=lambda found: found[0].start)
    free: list[float] = []  # by row, the end of its last span
    placed = []
    for span, epoch in spans:
        fitting = [row for row, end in enumerate(free) if end <= span.start + _OVERLAP * epoch]
        row = max(fitting, key=lambda row: free[row], default=len(free))
        if row == len(free):
            free.append(0.0)
        free[row] = span.end
        placed.append(Span(span.child, span.start, span.end, span.kind, span.resumed, row))
    return placed


def _epoch(child: Child) -> float:
    """Return the typical time of an epoch in seconds."""
    times = child.history.times
    apart = [b - a for a, b in itertools.pairwise(times)]
    known = child.metrics.get(names.METRIC_EPOCH_SECONDS)
    return min(filter(None, (known, statistics.median(apart) if apart else None)), default=0.0)


def _spans(child: Child, zero: float) -> list[Span]:
    history, epoch = child.history, _epoch(child)
    if history.started is None:
        return []
    longest = max(_GAP * epoch, epoch + _LEAST_GAP)
    paused = {decision.epoch for decision in child.history.decisions if decision.kind == "pause"}
    spans: list[Span] = []
    begun = last = history.started

    def close(end: float, kind: End) -> None:
        spans.append(Span(child, begun - zero, max(begun, end) - zero, kind, bool(spans)))

    for place, time in enumerate(history.times):
        before = history.epochs[place - 1] if place else -1
        if place and (before in paused or time - last > longest):
            close(last, "paused" if before in paused else "interrupted")
            begun = max(last, time - epoch)
        last = time
    waited = bool(history.times) and history.epochs[-1] in paused
    late = history.ended is None or (bool(history.times) and history.ended - last > longest)
    close(last if waited or late else history.ended or last, "paused" if waited else _kind(child))
    return spans


def _kind(child: Child) -> End:
    if child.history.ended is None and child.outcome is Outcome.INTERRUPTED:
        return "running"
    kinds: dict[Outcome, End] = {
        Outcome.FINISHED: "finished",
        Outcome.STOPPED: "stopped",
        Outcome.WAITING: "paused",
        Outcome.FAILED: "failed",
        Outcome.INTERRUPTED: "interrupted",
    }
    return kinds[child.outcome]
