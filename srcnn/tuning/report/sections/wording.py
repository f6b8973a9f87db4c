"""Wording shared by sentences and captions of a report: counts, pixels, times, provenance, how sure a difference is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from srcnn.tuning.report.data.search_data import Child, SearchData
from srcnn.tuning.trials.intervals import Interval
from srcnn.tuning.trials.outcome import Outcome

__all__ = [
    "counts",
    "duration",
    "pixels",
    "provenance",
    "sampler_in_words",
    "scales_in_words",
    "scheduler_in_words",
    "than_paper",
]

_SCHEDULERS = {
    "freeze-thaw": "freeze-thaw (weak trials wait, and go on when they are worth it)",
    "asha": "ASHA (asynchronous successive halving)",
    "hyperband": "Hyperband",
    "median": "the median stopping rule",
    "none": "no early stopping",
}
_SAMPLERS = {
    "curves": "curves (a model of learning curves)",
    "tpe": "TPE",
    "gp": "a Gaussian process",
    "cmaes": "CMA-ES",
    "random": "random",
    "grid": "a grid",
}


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


def scales_in_words(scales: Sequence[int]) -> str:
    """Return scales in words, such as ``by 2, 3 and 4``."""
    names = [str(scale) for scale in scales]
    return f"by {' and '.join(filter(None, (', '.join(names[:-1]), *names[-1:])))}"


def than_paper(interval: Interval) -> str:
    """Return how sure the difference to the paper's network is, in Markdown.

    Args:
        interval: winner minus the paper's network, in dB.
    """
    mean, low, high = interval.mean, interval.low, interval.high
    if not interval.bounded:
        return f"**not surely better** than the paper's network: {mean:+.2f} dB, of one figure, which gives no interval"
    if low > 0:
        return f"**surely better** than the paper's network by {mean:.2f} dB (95 %: {low:.2f} to {high:.2f})"
    if high < 0:
        return f"**surely worse** than the paper's network by {-mean:.2f} dB (95 %: {-high:.2f} to {-low:.2f})"
    return f"**not surely better** than the paper's network: {mean:+.2f} dB (95 %: {low:+.2f} to {high:+.2f}, which contains 0)"


def scheduler_in_words(name: str, objectives: int = 1) -> str:
    """Return the scheduler of a search in words.

    Args:
        name: its name in MLflow. Earlier versions wrote ``None`` for their default.
        objectives: number of objectives of the search.
    """
    if name == "None":  # the default then: ASHA, but nothing was stopped where there were several objectives
        name = "asha" if objectives == 1 else "none"
    return _SCHEDULERS.get(name, name or "an unknown scheduler")


def sampler_in_words(name: str) -> str:
    """Return the sampler of a search in words."""
    return _SAMPLERS.get(name, name or "unknown")
