"""Wording shared by sentences and captions of a report: counts, pixels, times, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from srcnn.tuning.report.data.search_data import Child, SearchData
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["counts", "duration", "pixels", "provenance"]


def pixels(count: float | None) -> str:
    """Return a number of training pixels in words."""
    if count is None:
        return "an unknown number of training pixels"
    return f"{count / 1e6:.3g} million training pixels" if count >= 1e5 else f"{count:.0f} training pixels"


def counts(children: Sequence[Child]) -> str:
    """Return the number of trials by outcome, in words."""
    ended = Counter(child.outcome for child in children)
    return ", ".join(f"{ended[kind]} {kind}" for kind in Outcome if ended[kind])


def provenance(data: SearchData, children: Sequence[Child]) -> str:
    """Return the end of every caption: number of trials, budget, commit."""
    ended = counts(children)
    trials = f"n = {len(children)} trial{'s' * (len(children) != 1)}{f' ({ended})' if ended else ''}"
    return f"{trials}; budget {pixels(data.budget)}; commit {data.commit}."


def duration(seconds: float) -> str:
    """Return a time in hours and minutes, minutes and seconds, or seconds."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
