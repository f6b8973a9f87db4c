"""Time budget of a search: time reserved for confirmation and test images, and the deadline of the search itself.

After the search, time is needed to start new workers, for the confirmation, for the measurement of its networks, and for the
model registry (`Costs`). This time is reserved. A confirmation trains the paper's network and the best configurations of the
search again, so its time follows from theirs as soon as they have finished; until then the longest known time is used. If the
requested confirmation does not fit, the next smaller size is used that does; if none fits, the confirmation is omitted. At
least a quarter of the budget remains for the search.

The time spent is saved in a file in the folder of the search, so that a resumed search has the remaining time, also after a
kill. Stages use the budget through `srcnn.tuning.algorithms.stage_time.StageTime`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from srcnn.config.quantities import counted
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import parse_json, read_text

__all__ = [
    "FILE",
    "Costs",
    "Deadline",
    "RungSize",
    "Size",
    "spent_before",
]

FILE = "time.json"  #: name of the file with the time spent, in the folder of the search

_SHARE = 0.75  # maximum fraction of the budget reserved for the time after the search
_OVERRUN = 0.1  # fraction by which a confirmation may exceed the budget before a smaller one replaces it
_KEPT = 100  # full trials per scale whose times are kept
_EVERY = 2.0  # minimum time between two writes of the file, in seconds


@dataclass(frozen=True)
class RungSize:
    """Size of a lower rung of a confirmation, which only chooses who goes on."""

    trials: Mapping[int, int]  #: maximum number of trials, by scale
    ratio: float  #: training pixels of its trials, divided by those of a full trial of the search


@dataclass(frozen=True)
class Size:
    """Size of a confirmation."""

    best: int  #: number of configurations per scale, in addition to the paper's network
    seeds: int  #: number of judging seeds
    trials: Mapping[int, int]  #: maximum number of trials that choose and judge, by scale
    ladder: tuple[RungSize, ...] = ()  #: lower rungs, the first one first
    references: Mapping[int, int] = field(default_factory=dict)  #: trials among these of the paper's network, by scale

    @property
    def count(self) -> int:
        """Total number of trials that choose and judge; those of lower rungs are not counted."""
        return sum(self.trials.values())


@dataclass(frozen=True)
class Costs:
    """Expected times of the steps after a search, in seconds."""

    slots: int = 1  #: number of concurrent trials
    full: Mapping[int, float] = field(default_factory=dict)  #: time of a full trial of the search, by scale if known
    ratio: float = 1.0  #: training pixels of a trial of the confirmation, divided by those of a full trial
    each: float = 0.0  #: time per trial in addition to its training, on one slot
    start: float = 0.0  #: time until the first trials of choosing and of judging start, together
    rung: float = 0.0  #: time until the first trial of a lower rung starts
    measuring: float = 0.0  #: time to measure one network on validation and test images, on one slot
    closing: float = 0.0  #: time independent of the number of networks: workers, bicubic, the registry


class Deadline:
    """Deadline of a search, from its time budget.

    Args:
        seconds: the whole budget, in seconds.
        costs: expected times of the steps after the search.
        sizes: possible sizes of the confirmation: the requested one, then smaller ones; empty: no confirmation.
        spent: seconds of the budget that this process has already spent.
        file: file with the time spent, which is read if it exists; None: the time is not saved.
        epochs: number of reports of a full trial. Trials end at their next report after the deadline.
        clock: function that returns a monotonic time in seconds.
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
        self._longest: dict[int, float] = {}  # longest measured time of a full trial, by scale
        self._references: dict[
            int, float
        ] = {}  # longest measured time of a full trial of the paper's network, by scale
        self._best: dict[int, list[tuple[float, float]]] = {}  # value and time of the best full trials, by scale
        self._begun: dict[int, float] = {}  # longest time of a full trial extrapolated from reports, by scale
        self._networks = 0  # number of networks produced so far
        before = self._read()
        self._start = clock() - spent - before
        self._kept = -float("inf")
        self.keep()

    def _read(self) -> float:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, or not ours
            found = parse_json(read_text(self._file)) if self._file is not None else {}
            spent, networks = max(0.0, float(found["spent"])), int(found["networks"])
            longest, references = (
                {int(scale): float(seconds) for scale, seconds in found.get(name, {}).items()}
                for name in ("full_trials", "references")
            )
            best = {
                int(scale): [(float(value), float(seconds)) for value, seconds in trials]
                for scale, trials in found.get("best", {}).items()
            }
            self._longest, self._references, self._best, self._networks = longest, references, best, networks
            return spent
        return 0.0

    def keep(self) -> None:
        """Save the time spent, at most once every two seconds."""
        now = self._clock()
        if self._file is None or now - self._kept < _EVERY:
            return
        self._kept = now
        state = {
            "spent": self.spent,
            "full_trials": self._longest,
            "references": self._references,
            "best": self._best,
            "networks": self._networks,
        }
        with suppress(OSError), atomic_write(self._file) as file:  # a full disk ends the search by itself
            file.write_text(json.dumps(state), encoding="utf-8")

    @property
    def spent(self) -> float:
        """Seconds of the budget spent so far, including earlier runs of the search, but not the time between runs."""
        return self._clock() - self._start

    @property
    def left(self) -> float:
        """Seconds of the budget that remain; never negative."""
        return max(0.0, self._seconds - self.spent)

    def note(self, scale: int, seconds: float, value: float = 0.0, *, reference: bool = False) -> None:
        """Record a full trial.

        Args:
            scale: its scale.
            seconds: its time.
            value: its objective; of the best trials, the times are kept.
            reference: whether it is of the paper's network, which a confirmation trains in any case.
        """
        self._longest[scale] = max(seconds, self._longest.get(scale, 0.0))
        if reference:
            self._references[scale] = max(seconds, self._references.get(scale, 0.0))
        if reference or not math.isfinite(value):
            return
        best = self._best.setdefault(scale, [])
        best.append((value, seconds))
        best.sort(reverse=True)
        del best[_KEPT:]

    def note_report(self, scale: int, seconds: float, epoch: int, epochs: int) -> None:
        """Record the time until the end of ``epoch``, out of ``epochs``; it is used until a full trial of the scale is known."""
        self._begun[scale] = max(seconds * epochs / epoch, self._begun.get(scale, 0.0))

    def note_network(self) -> None:
        """Record a network of a trial. Without a confirmation, all networks are measured on the test images."""
        self._networks += 1

    def full(self, scale: int) -> float:
        """Return the time of a full trial in seconds: measured, extrapolated, expected, or the longest of another scale."""
        for known in (self._longest, self._begun, self._costs.full):
            if scale in known:
                return known[scale]
        return self._slowest

    @property
    def _slowest(self) -> float:
        known = (*self._longest.values(), *self._begun.values(), *self._costs.full.values())
        return max(known, default=0.0)

    def after(self, size: Size | None, done: int = 0) -> float:
        """Return the expected time after the search, in seconds.

        Args:
            size: size of the confirmation; None: without one.
            done: number of lower rungs that are over, which need no more time.
        """
        costs = self._costs
        if size is None:
            return costs.closing + (self._networks + costs.slots) * costs.measuring / costs.slots
        ladder = sum(
            costs.rung
            + self._training([t for scale, n in rung.trials.items() for t in self._candidates(scale, n)], rung.ratio)
            for rung in size.ladder[done:]
        )
        training = self._training([t for scale in size.trials for t in self._confirmed(size, scale)], costs.ratio)
        return ladder + costs.start + training + size.count * costs.measuring / costs.slots + costs.closing

    def _candidates(self, scale: int, count: int) -> list[float]:
        """Return the expected times of full trials of the best configurations of a scale, in seconds.

        Where fewer have finished, the others are expected to be as slow as the slowest trial, because the best networks tend to
        be slow.
        """
        known = [seconds for _, seconds in self._best.get(scale, ())][:count]
        return known + [self.full(scale)] * (count - len(known))

    def _confirmed(self, size: Size, scale: int) -> list[float]:
        """Return the expected times of the trials that choose and judge at a scale, as full trials of the search, in seconds.

        The winner, whose trials judge, is expected to be the slowest of the candidates.
        """
        best, references = self._candidates(scale, size.best), size.references.get(scale, 0)
        judging = min(size.seeds, size.trials[scale] - references)
        choosing = size.trials[scale] - references - judging
        paper = self._references.get(scale, max(best, default=0.0))
        return [paper] * references + [max(best, default=0.0)] * judging + [fmean(best)] * choosing

    def _training(self, full: Sequence[float], ratio: float) -> float:
        """Return the expected time of some trials in seconds, each ``ratio`` times as long as a full one of the search."""
        costs = self._costs
        each = [ratio * seconds + costs.each for seconds in full]
        work, used, last = sum(each), max(1, min(costs.slots, len(each))), max(each, default=0.0)
        # Slots are equally busy until the last trials, when the others are idle for half a trial on average. The training
        # takes at least the time of one trial.
        return max(last, work / used + (used - 1) / used * last / 2)

    def size_within(self, seconds: float, done: int = 0) -> Size | None:
        """Return the first size for which the time after the search is within a limit in seconds; None if there is none.

        ``done`` is the number of lower rungs that are over.
        """
        return next((size for size in self._sizes if self.after(size, done) <= seconds), None)

    @property
    def asked(self) -> Size | None:
        """Requested size of the confirmation; None: there is none."""
        return self._sizes[0] if self._sizes else None

    @property
    def most(self) -> float:
        """Maximum time that is reserved for the time after the search, in seconds."""
        return _SHARE * self._seconds

    @property
    def planned(self) -> Size | None:
        """Size of the confirmation for which time is reserved, by current knowledge; None: no confirmation fits."""
        return self.size_within(self.most)

    @property
    def reserve(self) -> float:
        """Seconds reserved for the time after the search, and for running trials to reach their next report.

        Even without a confirmation, the test images may need more time than the budget; the search still gets a quarter of it.
        """
        lag = min(self._slowest / self._epochs, (1 - _SHARE) / 2 * self._seconds)
        return min(self.after(self.planned), self.most) + lag

    def last_size(self, done: int = 0) -> Size | None:
        """Return the size of the confirmation that fits into the remaining time; None if none fits.

        ``done`` is the number of lower rungs that are over.
        """
        return self.size_within((1 + _OVERRUN) * self._seconds - self.spent, done)

    def fits(self, size: Size) -> bool:
        """Return whether a confirmation of a size, or a part of one, fits into the remaining time."""
        return self.after(size) <= (1 + _OVERRUN) * self._seconds - self.spent

    def line(self, size: Size | None, done: int = 0) -> str:
        """Return one line about a smaller or omitted confirmation; empty if it is as requested, or none was requested.

        ``done`` is the number of lower rungs that are over.
        """
        if not self._sizes or size == self._sizes[0]:
            return ""
        asked, least = self._sizes[0], self._sizes[-1]
        lower = sum(sum(rung.trials.values()) for rung in asked.ladder[done:])
        long = (
            f"the confirmation of {counted(asked.count + lower, 'trial')} needs about {self.after(asked, done):.0f} s of the "
            f"{self._seconds:.0f} s"
        )
        if size is None:
            return (
                f"time_budget: {long}, the smallest one ({counted(least.count, 'trial')}) {self.after(least):.0f} s, so there "
                "is none; the best single trial is the winner"
            )
        return (
            f"time_budget: {long}, so it is made smaller: {_rungs(asked, size, done)}the best {size.best} of each scale and "
            f"{counted(size.seeds, 'seed')}, at most {counted(size.count, 'trial')}, about {self.after(size, done):.0f} s"
        )

    @property
    def over(self) -> bool:
        """Whether the search must end now."""
        return self.left <= self.reserve


def _rungs(asked: Size, size: Size, done: int) -> str:
    """Return how many lower rungs remain, for `Deadline.line`; empty if none were requested or all are over."""
    if len(asked.ladder) <= done:
        return ""
    left = max(0, len(size.ladder) - done)
    return f"{left} of {len(asked.ladder) - done} lower rungs, "


def spent_before(file: Path) -> float:
    """Return the seconds of its budget that a search has spent, from its file; 0 if the file is missing or damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return max(0.0, float(parse_json(read_text(file))["spent"]))
    return 0.0
