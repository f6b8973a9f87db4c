"""The time budget of a search: what it keeps for the confirmation and the test images, and when the search has to end.

After the search come another set of workers, the confirmation, the measuring of what it trained, and the registry
(`Costs`). Their time is taken off the budget. A confirmation that does not fit is made smaller in the order of the sizes that
the deadline was given, and left out where not even the smallest one fits. The search keeps a quarter of the budget at least.

What is spent is kept in a file of the search's folder while it runs, so that a search that goes on, after a kill as well, has
what is left. What a stage sees of it is `srcnn.tuning.algorithms.stage_time.StageTime`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from srcnn.system.atomic_file import atomic_write

__all__ = [
    "FILE",
    "Costs",
    "Deadline",
    "Size",
    "spent_before",
]

FILE = "time.json"  #: in the search's folder

_SHARE = 0.75  # of the budget that may be kept for what comes after the search
_OVERRUN = (
    0.1  # of the budget: what a confirmation may be late, rather than be made smaller or left out at the last moment
)
_EVERY = 2.0  # seconds between two states of the file


@dataclass(frozen=True)
class Size:
    """How large a confirmation is."""

    best: int  #: configurations of each scale, beside the paper's network
    seeds: int
    trials: Mapping[int, int]  #: at most, by scale

    @property
    def count(self) -> int:
        """Trials in all."""
        return sum(self.trials.values())


@dataclass(frozen=True)
class Costs:
    """Seconds that the end of a search takes."""

    slots: int = 1  #: trials at a time
    full: Mapping[int, float] = field(
        default_factory=dict
    )  #: of a full trial of the search, by scale, as expected; may lack
    ratio: float = 1.0  #: training pixels of a confirmation's trial, in those of a full trial
    each: float = 0.0  #: of a slot, of a trial beside its training
    start: float = 0.0  #: until a confirmation's first trial runs
    measuring: float = 0.0  #: of a slot, of measuring one network on validation and test images
    closing: float = 0.0  #: what does not depend on the number of networks: workers, bicubic, the registry


class Deadline:
    """A time budget in seconds from now.

    Args:
        seconds: the whole budget.
        costs: of what comes after the search.
        sizes: of the confirmation, the one asked for first, then smaller ones; empty: there is none.
        spent: seconds of the budget that this process has used already.
        file: where the spent time is kept, and read from if it is there; None: nowhere.
        epochs: reports of a full trial. Trials end at their next one.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        seconds: float,
        costs: Costs,
        sizes: Sequence[Size] = (),
        *,
        spent: float = 0.0,
        file: Path | None = None,
        epochs: int = 9,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._costs, self._sizes = seconds, costs, tuple(sizes)
        self._file, self._epochs, self._clock = file, epochs, clock
        self._longest: dict[int, float] = {}  # full trials
        self._begun: dict[int, float] = {}  # full trials as the reports of unfinished ones let expect
        self._networks = 0  # that trials have left
        before = self._read()
        self._start = clock() - spent - before
        self._kept = -float("inf")
        self.keep()

    def _read(self) -> float:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or not ours
            found = json.loads(self._file.read_text(encoding="utf-8")) if self._file is not None else {}
            self._longest = {int(scale): float(seconds) for scale, seconds in found["full_trials"].items()}
            self._networks = int(found["networks"])
            return max(0.0, float(found["spent"]))
        return 0.0

    def keep(self) -> None:
        """Write down what is spent, if that was last done some seconds ago."""
        now = self._clock()
        if self._file is None or now - self._kept < _EVERY:
            return
        self._kept = now
        state = {"spent": self.spent, "full_trials": self._longest, "networks": self._networks}
        with suppress(OSError), atomic_write(self._file) as file:  # a full disk ends the search by itself
            file.write_text(json.dumps(state), encoding="utf-8")

    @property
    def spent(self) -> float:
        """Seconds of the budget that are gone, of the runs before a resume too; time while nothing ran is none."""
        return self._clock() - self._start

    @property
    def left(self) -> float:
        """Seconds of the budget that remain; never negative."""
        return max(0.0, self._seconds - self.spent)

    def note(self, scale: int, seconds: float) -> None:
        """A full trial of a scale took so long; the longest counts, since the best networks tend to be the slow ones."""
        self._longest[scale] = max(seconds, self._longest.get(scale, 0.0))

    def note_report(self, scale: int, seconds: float, epoch: int, epochs: int) -> None:
        """A trial of a scale took so long for its first ``epoch`` of ``epochs``; counts until a full one is known."""
        self._begun[scale] = max(seconds * epochs / epoch, self._begun.get(scale, 0.0))

    def note_network(self) -> None:
        """A trial has left a network. Without a confirmation every one is measured on the test images."""
        self._networks += 1

    def full(self, scale: int) -> float:
        """Seconds that a full trial of a scale takes, as far as is known: measured, begun, expected, or that of others."""
        for known in (self._longest, self._begun, self._costs.full):
            if scale in known:
                return known[scale]
        return self._slowest

    @property
    def _slowest(self) -> float:
        known = (*self._longest.values(), *self._begun.values(), *self._costs.full.values())
        return max(known, default=0.0)

    def after(self, size: Size | None) -> float:
        """Seconds from the search's end to the end of everything; None: without a confirmation."""
        costs = self._costs
        if size is None:
            return costs.closing + (self._networks + costs.slots) * costs.measuring / costs.slots
        one = {scale: costs.ratio * self.full(scale) + costs.each for scale, count in size.trials.items() if count}
        work = sum(size.trials[scale] * seconds for scale, seconds in one.items())
        used, last = max(1, min(costs.slots, size.count)), max(one.values(), default=0.0)
        # Slots are equally busy but for the last trials, of which half a one is idle on average; none takes less than one trial.
        training = max(last, work / used + (used - 1) / used * last / 2)
        return costs.start + training + size.count * costs.measuring / costs.slots + costs.closing

    def size_within(self, seconds: float) -> Size | None:
        """The first size whose end of the search fits into some seconds; None: none does."""
        return next((size for size in self._sizes if self.after(size) <= seconds), None)

    @property
    def planned(self) -> Size | None:
        """The confirmation that is kept time for, as far as trials' costs are known; None: there will be none."""
        return self.size_within(_SHARE * self._seconds)

    @property
    def reserve(self) -> float:
        """Seconds that are kept for what comes after the search, and for trials to reach their next report.

        The test images alone, without a confirmation, may need more than the budget has; a search then takes a quarter of it.
        """
        lag = min(self._slowest / self._epochs, (1 - _SHARE) / 2 * self._seconds)
        return min(self.after(self.planned), _SHARE * self._seconds) + lag

    def last_size(self) -> Size | None:
        """The confirmation for which there is time now; None: for none."""
        return self.size_within((1 + _OVERRUN) * self._seconds - self.spent)

    def line(self, size: Size | None) -> str:
        """What becomes of the confirmation, in a line; empty if it is the one asked for, or if there was to be none."""
        if not self._sizes or size == self._sizes[0]:
            return ""
        asked, least = self._sizes[0], self._sizes[-1]
        long = f"the confirmation of {asked.count} trials needs about {self.after(asked):.0f} s of the {self._seconds:.0f} s"
        if size is None:
            return (
                f"time_budget: {long}, the least one ({least.count} trials) {self.after(least):.0f} s, so there is none; "
                "the best single trial is the winner"
            )
        return (
            f"time_budget: {long}, so it is made smaller: the best {size.best} of each scale and {size.seeds} seeds, "
            f"at most {size.count} trials, about {self.after(size):.0f} s"
        )

    @property
    def over(self) -> bool:
        """Whether the search has to end now."""
        return self.left <= self.reserve


def spent_before(file: Path) -> float:
    """Seconds of its budget that a search has spent by its file; 0 if there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return max(0.0, float(json.loads(file.read_text(encoding="utf-8"))["spent"]))
    return 0.0
