"""State of a running search, for whoever looks at it: the terminal, and by the file ``live.json`` the watch page.

`LiveState` is a listener: it adds up the events of a search. `LiveFile` is one too: it writes the state into the folder of the
search, seldom enough that the search does not notice. The file is only for looking; nothing is ever restored from it.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from srcnn.system.atomic_file import atomic_write
from srcnn.tuning.driver.events import Event
from srcnn.tuning.trials.objective import PAPER_GAIN
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["FILE", "LiveBest", "LiveFile", "LiveState", "LiveTrial", "TimeLeft"]

FILE = "live.json"  #: name of the file in the folder of a search
VERSION = 1  #: of the file's format

_EVERY = 1.0  # minimum time between two writes of the file, in seconds
_SHARE = 200  # a write waits this many times as long as the last one took: half a percent of the time
_LONGEST = 10.0  # but no longer than this, in seconds: on a busy disk one write can take a second
State = Literal["running", "waiting", "finished", "stopped", "failed", "interrupted"]


@dataclass
class LiveTrial:
    """One trial."""

    id: str
    name: str  #: name in tables
    scale: int
    stage: str  #: ``search``, ``confirm``, ``judge`` or ``table``
    reference: bool  #: whether it is the paper's network
    state: State = "running"
    epoch: int = 0  #: number of finished epochs
    epochs: int = 0  #: number of epochs of a full trial; 0: not yet known
    curve: tuple[float, ...] = ()  #: gain over bicubic on validation images after every epoch, in dB
    gain: float | None = None  #: highest gain so far, in dB
    seconds: float = 0.0  #: time that it has occupied a slot, in seconds
    device: str = ""  #: device, such as ``cpu`` or ``cuda 3``
    node: str = ""  #: Ray's id of the machine
    failure: str = ""  #: message of its last fault or failure


@dataclass(frozen=True)
class LiveBest:
    """Best trial of a scale so far, of the stage that is running."""

    trial: str  #: id
    name: str
    gain: float  #: highest gain over bicubic on validation images, in dB
    reference: bool  #: whether it is the paper's network


@dataclass(frozen=True)
class TimeLeft:
    """Time that the running stage is expected to take from now on."""

    seconds: float
    error: float  #: two standard errors, in seconds


@dataclass
class LiveState:
    """State of a search as the sum of its events.

    Args:
        search: name of the search.
        trials: maximum number of trials of the first stage.
        expected: wall time that was expected before the start, in seconds; None: unknown.
        limit: time budget, in seconds; None: no limit.
        clock: function that returns a monotonic time in seconds.
    """

    search: str
    trials: int
    expected: float | None = None
    limit: float | None = None
    clock: Callable[[], float] = time.monotonic
    stage: str = "search"  #: the running stage
    number: int = 1  #: its number: a confirmation may have several stages with the same name
    all: dict[str, LiveTrial] = field(
        default_factory=dict
    )  #: every trial of every stage, by id, in the order of the start
    decision: dict[str, Any] | None = (
        None  #: latest decision: ``trial``, ``name``, ``scale`` and the fields of `Decision`
    )
    slots: int = 0  #: largest number of trials that ran at the same time
    restored: int = 0  #: number of trials that had ended before a resume

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._since: dict[str, float] = {}  # start of the running period of every running trial
        self._members: list[str] = []  # trials of the running stage

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if self._is_new_stage(event):
            self.stage, self.number, self._members = event.stage, self.number + 1, []
        self.trials = event.trials
        trial = self.all.get(event.trial_id)
        if trial is None:
            spec = event.spec
            trial = LiveTrial(event.trial_id, event.name, spec.scale, event.stage, spec.reference)
            self.all[event.trial_id] = trial
        if event.trial_id not in self._members:
            self._members.append(event.trial_id)
        self._figures(trial, event)
        if event.kind in ("start", "report"):
            if event.trial_id not in self._since:
                self._since[event.trial_id] = self.clock()
            trial.state = "running"
            self.slots = max(self.slots, len(self._since))
        else:
            self._pause_clock(trial)
            if event.kind in ("pause", "fault"):
                trial.state = "waiting"
            if event.kind == "fault":
                trial.failure = event.failure
            if event.outcome is not None:
                # Tune makes all trials that had not ended pending: one that was interrupted, or waited, may go on.
                goes_on = event.kind == "restored" and event.outcome is Outcome.INTERRUPTED
                trial.state = "waiting" if goes_on else event.outcome.value
                trial.failure = event.failure
            self.restored += event.kind == "restored" and trial.state in _ENDED
        if event.decision is not None:
            about = {"trial": trial.id, "name": trial.name, "scale": trial.scale}
            self.decision = {**about, **event.decision.to_json()}

    def _is_new_stage(self, event: Event) -> bool:
        if event.stage != self.stage:
            return True
        known = event.trial_id in self._members
        over = bool(self._members) and all(self.all[one].state in _ENDED for one in self._members)
        return not known and (event.trials != self.trials or (over and len(self._members) >= self.trials))

    def _figures(self, trial: LiveTrial, event: Event) -> None:
        report = event.report
        if report is None:
            return
        trial.epochs = report.epochs
        trial.device, trial.node = report.device or trial.device, report.node or trial.node
        if report.figures is None:
            return
        trial.epoch = report.epoch
        paper = PAPER_GAIN.get(trial.scale, math.nan)
        trial.curve = tuple(round(value * paper, 4) for value in report.curve)
        best = report.figures.best_val_gain
        trial.gain = max(trial.curve, default=None) if math.isnan(best) else best

    def _pause_clock(self, trial: LiveTrial) -> None:
        since = self._since.pop(trial.id, None)
        if since is not None:
            trial.seconds += self.clock() - since

    @property
    def elapsed(self) -> float:
        """Wall time since the start, in seconds."""
        return self.clock() - self.started

    @property
    def running(self) -> list[LiveTrial]:
        """Trials that are running."""
        return [self.all[one] for one in self._since]

    @property
    def counts(self) -> Counter[str]:
        """Number of trials of the running stage by their state."""
        return Counter(self.all[one].state for one in self._members)

    @property
    def ended(self) -> int:
        """Number of trials of the running stage that have ended; waiting trials have not."""
        return sum(self.all[one].state in _ENDED for one in self._members)

    @property
    def core_seconds(self) -> float:
        """Time of all slots together in use since this process began, in seconds."""
        return sum(map(self.seconds_of, self.all.values()))

    def seconds_of(self, trial: LiveTrial) -> float:
        """Return the time that a trial has occupied a slot so far, in seconds."""
        since = self._since.get(trial.id)
        return trial.seconds + (0.0 if since is None else self.clock() - since)

    @property
    def best(self) -> dict[int, LiveBest]:
        """Best trial of every scale in the running stage; of the stage before, as long as none has reported."""
        known = [self.all[one] for one in self._members if self.all[one].gain is not None]
        known = known or [trial for trial in self.all.values() if trial.gain is not None and trial.stage == "search"]
        found: dict[int, LiveBest] = {}
        for trial in known:
            assert trial.gain is not None
            if trial.state != "failed" and (trial.scale not in found or trial.gain > found[trial.scale].gain):
                found[trial.scale] = LiveBest(trial.id, trial.name, trial.gain, trial.reference)
        return dict(sorted(found.items()))

    @property
    def references(self) -> dict[int, float]:
        """Highest gain of the paper's network so far by scale, in dB."""
        found: dict[int, float] = {}
        for trial in self.all.values():
            if trial.reference and trial.gain is not None and trial.stage == "search":
                found[trial.scale] = max(found.get(trial.scale, -math.inf), trial.gain)
        return found

    @property
    def left(self) -> TimeLeft | None:
        """Expected time until the end of the running stage; None: fewer than two of its trials have paused or ended.

        The trials to come are expected to take as long as those so far, on average, and the spread of this mean is the error. A
        waiting trial may go on or not: it is expected to use half of what it lacks to the mean of those that finished.
        """
        members = [self.all[one] for one in self._members]
        taken = [trial for trial in members if trial.state != "running" and trial.seconds > 0]
        if len(taken) < 2 or not self.slots:
            return None
        finished = [trial.seconds for trial in taken if trial.state == "finished"] or [t.seconds for t in taken]
        full = statistics.fmean(finished)
        lacks = {trial.id: max(0.0, full - trial.seconds) / 2 for trial in taken if trial.state == "waiting"}
        costs = [trial.seconds + lacks.get(trial.id, 0.0) for trial in taken]
        mean, spread = statistics.fmean(costs), statistics.stdev(costs) / math.sqrt(len(costs))
        new = max(0, self.trials - len(members))
        rest = sum(max(0.0, mean - self.seconds_of(trial)) for trial in self.running)
        seconds = (new * mean + rest + sum(lacks.values())) / self.slots
        error = 2 * spread * (new + len(self._since)) / self.slots
        if self.limit is not None:
            seconds = min(seconds, max(0.0, self.limit - self.elapsed))
        return TimeLeft(seconds, error)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON-serializable data: the format of ``live.json``."""
        left = self.left
        trials = [{**asdict(trial), "seconds": round(self.seconds_of(trial), 2)} for trial in self.all.values()]
        return {
            "version": VERSION,
            "search": self.search,
            "stage": self.stage,
            "stage_number": self.number,
            "trials_planned": self.trials,
            "ended": self.ended,
            "counts": dict(self.counts),
            "slots": self.slots,
            "elapsed": round(self.elapsed, 1),
            "core_seconds": round(self.core_seconds, 1),
            "expected": self.expected,
            "limit": self.limit,
            "left": None if left is None else asdict(left),
            "best": {str(scale): asdict(best) for scale, best in self.best.items()},
            "references": {str(scale): gain for scale, gain in self.references.items()},
            "decision": self.decision,
            "trials": trials,
        }


_ENDED = {outcome.value for outcome in Outcome} - {Outcome.WAITING.value}


class LiveFile:
    """Listener that keeps ``live.json`` in the folder of a search; an error while writing never disturbs the search.

    Events that come soon after a write are written together, by a thread, so that also the last of them is in the file.

    Besides the fields of `LiveState.to_json` the file has ``pid``, ``updated`` (UTC, ISO 8601), ``about`` and ``state``:
    ``running``, ``ended``, ``interrupted`` or ``failed``.

    Args:
        folder: folder of the search.
        state: its state.
        about: further data for the page, such as addresses; JSON-serializable.
    """

    def __init__(self, folder: Path, state: LiveState, about: Mapping[str, Any] | None = None) -> None:
        self._file, self._state, self._about = folder / FILE, state, dict(about or {})
        self._next = -math.inf
        self._lock = threading.Lock()  # no event while the state is written
        self._later: threading.Timer | None = None  # a write that is due
        self._over = False

    def __call__(self, event: Event) -> None:
        """Take in an event, and write the file if the last write is long enough ago, else as soon as it is."""
        with self._lock:
            self._state(event)
            wait = self._next - time.monotonic()
            if wait <= 0:
                self._write("running")
            elif self._later is None:
                self._later = threading.Timer(wait, self._write_later)
                self._later.daemon = True
                self._later.start()

    def _write_later(self) -> None:
        with self._lock:
            self._later = None
            if not self._over:
                self._write("running")

    def write(self, state: Literal["running", "ended", "interrupted", "failed"]) -> None:
        """Write the file now; after an end, no write is due any more."""
        with self._lock:
            self._over = state != "running"
            self._write(state)

    def _write(self, state: Literal["running", "ended", "interrupted", "failed"]) -> None:
        began = time.monotonic()
        data = {
            **self._state.to_json(),
            "state": state,
            "pid": os.getpid(),
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
            "about": self._about,
        }
        with suppress(OSError), atomic_write(self._file) as temporary:
            temporary.write_text(json.dumps(data), encoding="utf-8")
        took = time.monotonic() - began
        self._next = time.monotonic() + min(max(_EVERY, _SHARE * took), _LONGEST)
