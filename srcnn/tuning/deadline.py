"""The time budget of a search: after it nothing is suggested and every trial ends at its next report.

Tune pickles its searcher and its scheduler apart, so the clock that both read lies here, in the process that runs the search.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Deadline", "note_full_trial", "time_budget", "time_is_up"]


class Deadline:
    """A time budget in seconds from now, of which the confirmation keeps its share.

    Args:
        seconds: the budget.
        confirmations: full trials that the confirmation will run, by scale.
        slots: trials at a time.
    """

    def __init__(self, seconds: float, confirmations: dict[int, int], slots: int) -> None:
        self._end = time.monotonic() + seconds
        self._seconds, self._confirmations, self._slots = seconds, confirmations, max(1, slots)
        self._longest: dict[int, float] = {}

    def note(self, scale: int, seconds: float) -> None:
        """A full trial of a scale took so long; the longest counts, since the best networks tend to be the slow ones."""
        self._longest[scale] = max(seconds, self._longest.get(scale, 0.0))

    @property
    def _confirmation(self) -> float:
        """Seconds that the whole confirmation is expected to take."""
        known = max(self._longest.values(), default=0.0)
        total = sum(count * self._longest.get(scale, known) for scale, count in self._confirmations.items())
        return total / self._slots

    @property
    def reserve(self) -> float:
        """Seconds that are kept for the confirmation; at most half the budget."""
        return min(self._seconds / 2, self._confirmation)

    def seeds(self, most: int) -> int:
        """How many of ``most`` seeds a confirmation can train in the time that is left; at least two."""
        left = max(0.0, self._end - time.monotonic())
        return most if self._confirmation <= left else max(2, int(most * left / self._confirmation))

    @property
    def over(self) -> bool:
        """Whether the search has to end now."""
        return time.monotonic() >= self._end - self.reserve


_current: list[Deadline] = []


@contextmanager
def time_budget(deadline: Deadline | None) -> Iterator[None]:
    """Within the block the deadline holds; None: no deadline."""
    if deadline is None:
        yield
        return
    _current.append(deadline)
    try:
        yield
    finally:
        _current.remove(deadline)


def time_is_up() -> bool:
    """Whether the current deadline, if there is one, is over."""
    return bool(_current) and _current[-1].over


def note_full_trial(scale: int, seconds: float) -> None:
    """Tell the current deadline, if there is one, how long a full trial took."""
    if _current:
        _current[-1].note(scale, seconds)
