"""The progress of a search as lines: plain ones with the time for logs and pipes, or JSON for programs.

No line has a control character. With ``--json`` each line of the standard output is one object; ``event`` says which:

``plan``
    first: version (1), search, resumed, trials, scales, stopping, folder, tracking_uri, resume (command), images (sentences
    about images that are left out or kept although they show a test image), expected_seconds and
    expected_hours (null: not estimated); further_trials: confirmations that may come in addition, at most, if winners fail on a
    drawn pattern, with further_seconds and further_hours (null: not estimated); the expected figures do not include them
``stage``
    a stage begins: stage (``search``, ``confirm``, ``judge``), trials
``restored``, ``start``, ``report``, ``pause``, ``fault``, ``end``
    about a trial: stage, trial (id), name, scale, reference (whether it is the paper's network), epoch, epochs, gain (highest
    gain over bicubic so far on validation images in dB, or null), objective, outcome (for ``end`` and ``restored``, or null),
    failure (text, may be empty), ended and trials (of the stage), seconds (in slots so far), device, decision (object with
    the fields of `srcnn.tuning.trials.decision.Decision`, or null)
``interrupt``
    the interrupt was received; the trials are being saved
``watch``
    address of the page of --watch
``result``
    last: search, interrupted, seconds, stage, began, planned, counts (by outcome), failures (number by message), champions
    (see `srcnn.commands.champion_words.champions_json`), notes, registry, report (path or null), look, use, go_on (commands)

Every object has time (ISO 8601 with zone). A number that is not known is null.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from srcnn.commands.live_words import clean, decision_words, duration, end_words, resumed_words, stage_words
from srcnn.config.quantities import counted
from srcnn.system.json_file import finite
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import LiveState

__all__ = ["VERSION", "Display", "JsonLines", "Lines", "PlainLines"]

VERSION = 1  #: of the JSON lines


class Display(Protocol):
    """Shows a running search: a listener of its events, and a context manager."""

    state: LiveState  #: state of the search

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def __call__(self, event: Event) -> None:
        """Take in an event."""

    def acknowledge(self) -> None:
        """Say at once that the interrupt was received; may be called in a signal handler."""


class Lines:
    """Writes whole lines to a stream; a line from a signal handler never stands in the middle of another.

    Args:
        stream: text stream; None: the standard output at the time of writing.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._busy, self._late = stream, False, list[str]()

    def write(self, line: str) -> None:
        """Write a line; in a signal handler that has come in the middle of another, after that."""
        if self._busy:
            self._late.append(line)
            return
        self._busy = True
        try:
            self._print(line)
            while self._late:
                self._print(self._late.pop(0))
        finally:
            self._busy = False

    def _print(self, line: str) -> None:
        stream = self._stream or sys.stdout
        with suppress(OSError):  # the reader has gone, or the disk of the log is full: that ends no search
            try:
                print(line, file=stream, flush=True)
            except UnicodeEncodeError:  # a log in an old encoding
                print(line.encode("ascii", "replace").decode("ascii"), file=stream, flush=True)


class PlainLines:
    """A line with the time for every stage, ended trial and fault; with ``verbose`` for every start, report and pause, too.

    Args:
        state: state of the search, which the display keeps.
        verbose: whether all events have a line.
        quiet: whether no event has one.
        lines: where they go.
    """

    def __init__(
        self, state: LiveState, *, verbose: bool = False, quiet: bool = False, lines: Lines | None = None
    ) -> None:
        self.state, self._lines = state, lines or Lines()
        self._verbose, self._quiet, self._resumed = verbose, quiet, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._lines.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {text}")

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        before = (self.state.stage, self.state.number)
        if self._resumed and event.kind != "restored":
            self._say(resumed_words(self.state))
        first = not self.state.all
        self.state(event)
        self._resumed = event.kind == "restored"
        if before != (self.state.stage, self.state.number) or first:
            self._say(f"{stage_words(self.state.stage)}, {counted(self.state.trials, 'trial')}")
        if event.kind == "end":
            self._say(f"{self.state.ended:3}/{self.state.trials}  {event.name:28}  {end_words(event)}{self._left()}")
        elif event.kind == "fault":
            self._say(f"{'':7}  {event.name}  starts again: {clean(event.failure)}")
        elif self._verbose and event.kind in ("start", "report", "pause"):
            self._say(f"{'':7}  {self._detail(event)}")

    def _detail(self, event: Event) -> str:
        if event.decision is not None and event.kind != "report" and self.state.decision is not None:
            return decision_words(self.state.decision)
        if event.kind != "report" or event.report is None or event.report.figures is None:
            return f"{event.name}  {event.kind}"
        gain = event.report.figures.best_val_gain
        return f"{event.name}  epoch {event.report.epoch} of {event.report.epochs}, {gain:+.2f} dB"

    def _left(self) -> str:
        left = self.state.left
        return "" if left is None or not left.seconds else f"; about {duration(left.seconds)} left"

    def acknowledge(self) -> None:
        """Say at once that the interrupt was received; may be called in a signal handler."""
        self._lines.write("interrupted: stopping and saving; Ctrl-C again ends at once")


class JsonLines:
    """One JSON object a line, described above; a listener of the events of a search.

    Args:
        state: state of the search, which the display keeps.
        lines: where they go.
    """

    def __init__(self, state: LiveState, lines: Lines | None = None) -> None:
        self.state, self._lines = state, lines or Lines()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write an object."""
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        self._lines.write(json.dumps(finite({"event": kind, "time": now, **fields})))

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        before, first = (self.state.stage, self.state.number), not self.state.all
        self.state(event)
        if before != (self.state.stage, self.state.number) or first:
            self.write("stage", {"stage": self.state.stage, "trials": self.state.trials})
        trial = self.state.all[event.trial_id]
        report = event.report
        self.write(
            event.kind,
            {
                "stage": event.stage,
                "trial": event.trial_id,
                "name": event.name,
                "scale": trial.scale,
                "reference": trial.reference,
                "epoch": trial.epoch,
                "epochs": trial.epochs,
                "gain": trial.gain,
                "objective": None if report is None or report.figures is None else report.figures.best_objective,
                "outcome": None if event.outcome is None else event.outcome.value,
                "failure": event.failure,
                "ended": self.state.ended,
                "trials": self.state.trials,
                "seconds": round(self.state.seconds_of(trial), 3),
                "device": trial.device,
                "decision": None if event.decision is None else event.decision.to_json(),
            },
        )

    def acknowledge(self) -> None:
        """Say at once that the interrupt was received; may be called in a signal handler."""
        self.write("interrupt", {})
