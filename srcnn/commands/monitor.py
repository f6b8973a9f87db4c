"""Progress of a search in the terminal."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from srcnn.tuning.driver.events import Event
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["Monitor"]


_STAGES = {
    "confirm": "the best configurations again with new seeds, to choose among them:",
    "judge": "the winners and the paper's network with further seeds, to judge them:",
}


class Monitor:
    """Progress of a search: a progress bar in a terminal, and a line for every finished trial."""

    def __init__(self, console: Console, trials: int) -> None:
        self._console, self._stage = console, "search"
        self._ended: Counter[str] = Counter()
        self._trials = 0  # of the stage
        self._running: set[str] = set()
        self._started = time.monotonic()
        self._since: dict[str, float] = {}
        self.busy = 0.0  #: time of all slots together, in seconds
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self.bar.add_task("starting Ray", total=trials)

    def __call__(self, event: Event) -> None:
        # Rungs of a confirmation are stages with the same name.
        over = self._trials > 0 and sum(self._ended.values()) >= self._trials and event.kind == "start"
        if event.stage != self._stage or over or (event.stage == "confirm" and event.trials != self._trials):
            self._stage, self._ended, self._running = event.stage, Counter(), set()
            self._console.print(_STAGES.get(event.stage, event.stage), highlight=False)
        self._trials = event.trials
        if event.kind == "start":
            self._running.add(event.trial_id)
            self._since[event.trial_id] = time.monotonic()
        elif event.kind == "fault":
            self._fault(event)
        elif event.kind == "end":
            self.busy += time.monotonic() - self._since.pop(event.trial_id, time.monotonic())
            self._running.discard(event.trial_id)
            self._ended[str(event.outcome)] += 1
            self._line(event)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._ended.items()))
        done = sum(self._ended.values())
        text = f"{event.stage}: {len(self._running)} running; {kinds or 'none ended'}"
        self.bar.update(self._task, completed=done, total=event.trials, description=text)

    def _fault(self, event: Event) -> None:
        self._running.discard(event.trial_id)
        self._console.print(
            f"{'':8}{time.monotonic() - self._started:5.0f} s  {event.name:38} restarted: {event.failure}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )

    def _line(self, event: Event) -> None:
        figures = None if event.report is None else event.report.figures
        text = event.failure or "no reason given"
        if event.outcome != Outcome.FAILED and event.report is not None and figures is not None:
            text = f"gain {figures.best_val_gain:+.2f} dB, {figures.train_seconds:.0f} s"
            if event.outcome == Outcome.STOPPED:
                text += f", stopped at {event.report.epoch}/{event.report.epochs}"
        done, elapsed = sum(self._ended.values()), time.monotonic() - self._started
        self._console.print(
            f"{done:3}/{event.trials} {elapsed:5.0f} s  {event.name:38} {event.outcome:9} {text}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
