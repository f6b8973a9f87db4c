"""Progress of a search: an updated display below a notebook's cell, or a line for each trial elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections import Counter
from typing import Any, TextIO

from srcnn.config.quantities import counted
from srcnn.tuning.driver.events import Event
from srcnn.tuning.trials.outcome import Outcome

__all__ = ["Progress", "notebook_display"]

_EVERY = 0.5  # seconds between two updates of a notebook's display
_LINES = 5  # ended trials that a notebook shows


def notebook_display() -> Any | None:
    """Return IPython's module ``display`` if this process is a notebook's kernel, else None. IPython is never loaded here."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from importlib import import_module

    return import_module("IPython.display")


class Progress:
    """A listener of a search's events that shows how far it is.

    Args:
        trials: number of trials of the search.
        stream: where lines go outside a notebook (default: standard output).
    """

    def __init__(self, trials: int, stream: TextIO | None = None) -> None:
        self._trials, self._stream = trials, stream
        self._stage, self._started, self._shown = "search", time.monotonic(), 0.0
        self._ended: Counter[str] = Counter()
        self._running: set[str] = set()
        self._best: dict[int, float] = {}
        self._lines: list[str] = []
        self._last = ""
        self._display = notebook_display() if stream is None else None
        self._handle: Any = None
        if self._display is not None:
            self._handle = self._display.display(self._display.HTML("starting Ray"), display_id=True)

    def __call__(self, event: Event) -> None:
        """Take in an event, and show it."""
        if event.stage != self._stage or self._over(event):
            self._stage, self._ended, self._running = event.stage, Counter(), set()
        self._trials = event.trials
        if event.kind == "start":
            self._running.add(event.trial_id)
        elif event.kind in ("pause", "fault", "end"):
            self._running.discard(event.trial_id)
        elif event.kind == "restored" and event.outcome not in (Outcome.WAITING, Outcome.INTERRUPTED):
            self._ended[str(event.outcome)] += 1  # it had ended before the resume
        figures = None if event.report is None else event.report.figures
        if figures is not None and event.stage == "search":
            scale = event.spec.config.scale
            self._best[scale] = max(self._best.get(scale, float("-inf")), figures.best_val_gain)
        if event.kind == "end":
            self._ended[str(event.outcome)] += 1
            gain = "" if figures is None else f"gain {figures.best_val_gain:+.3f} dB"
            text = (event.failure or "no reason given") if event.outcome is Outcome.FAILED else gain
            self._add(f"{event.name}: {event.outcome}, {text}" if text else f"{event.name}: {event.outcome}")
        elif event.kind == "fault":
            self._add(f"{event.name}: restarted, {event.failure}")
        self._update()

    def _over(self, event: Event) -> bool:
        """Return whether a stage of the same name begins, such as the next rung of a confirmation."""
        return event.kind == "start" and 0 < self._trials <= sum(self._ended.values())

    def _add(self, line: str) -> None:
        done = sum(self._ended.values())
        seconds = time.monotonic() - self._started
        self._lines.append(f"{self._stage} {done}/{self._trials}, {seconds:.0f} s: {line}")
        if self._display is None:
            print(self._lines[-1], file=self._stream or sys.stdout, flush=True)

    def _update(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if self._handle is None or (not force and now - self._shown < _EVERY):
            return
        self._shown = now
        self._handle.update(self._display.HTML(self.page()))  # type: ignore[union-attr]

    def page(self) -> str:
        """Return the display as HTML."""
        done = sum(self._ended.values())
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self._ended.items())) or "none ended"
        best = ", ".join(f"x{scale} {gain:+.3f} dB" for scale, gain in sorted(self._best.items()))
        head = f"{self._stage}: {done} of {counted(self._trials, 'trial')} ({kinds}), {len(self._running)} running"
        head += f", {time.monotonic() - self._started:.0f} s" + (f"; best gain so far: {best}" if best else "")
        lines = "\n".join(map(html.escape, self._lines[-_LINES:]))
        bar = f'<progress value="{done}" max="{max(self._trials, 1)}" style="width: 60%"></progress>'
        last = f"<b>{html.escape(self._last)}</b>" if self._last else ""
        return f"<div>{bar}<br>{html.escape(head)}<pre>{lines}</pre>{last}</div>"

    def close(self, last: str = "") -> None:
        """Show the last state.

        Args:
            last: one line that goes below it, such as how an interrupted search goes on.
        """
        self._running.clear()
        self._last = last
        if last and self._display is None:
            print(last, file=self._stream or sys.stdout, flush=True)
        self._update(force=True)
