"""The live display of a search in a terminal: one table that is redrawn, and above it a line for every trial that ended.

Events only change the state and add lines to a queue. A thread draws: at most four times a second, and so seldom that drawing
takes less than a hundredth of one core, whatever the size of the table (it measures its own processor time).
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import replace
from types import TracebackType

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.text import Text

from srcnn.commands.live_table import Shown, frame
from srcnn.commands.live_words import clean, decision_words, end_words, resumed_words, shorten, stage_words
from srcnn.tuning.driver.events import Event
from srcnn.tuning.driver.live_state import LiveState

__all__ = ["LiveDisplay"]

_LEAST = 0.25  # minimum time between two drawings, in seconds
_SHARE = 0.008  # maximum share of one core for drawing
_MOST_LINES = 200  # lines of one drawing; of more, only the last are printed
_WAKE = "wake"


class LiveDisplay:
    """Shows a search in a terminal; a listener of its events, and a context manager.

    Args:
        console: the terminal.
        state: state of the search, which the display keeps.
        shown: what else the table shows.
        names: whether ended trials have a line above the table.
    """

    def __init__(self, console: Console, state: LiveState, shown: Shown, *, names: bool = True) -> None:
        self.state = state
        self._console, self._names = console, names
        self._shown = replace(shown, ascii_only=console.options.ascii_only)
        self._lock = threading.Lock()  # of the state; not taken in `acknowledge`, which a signal handler calls
        self._lines: queue.SimpleQueue[Text] = queue.SimpleQueue()
        self._wake: queue.SimpleQueue[str | None] = queue.SimpleQueue()  # its put() may be called in a signal handler
        self._note, self._resumed = "", False
        self._width = console.width
        self.drawings, self.processor_seconds = 0, 0.0  #: number of drawings, and the processor time that they took
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._thread = threading.Thread(target=self._run, name="live table", daemon=True)

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wake.put(None)
        self._thread.join()
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        with self._lock:
            before = (self.state.stage, self.state.number)
            if self._resumed and event.kind != "restored":
                self._say(resumed_words(self.state), "bold")
            self.state(event)
            self._resumed = event.kind == "restored"
            if before != (self.state.stage, self.state.number):
                self._say(f"{stage_words(self.state.stage)}, {self.state.trials} trials", "bold")
            if event.kind == "end":
                text = f"{self.state.ended:3}/{self.state.trials}  {event.name:28}  {end_words(event)}"
                self._shown = replace(self._shown, last=f"{event.name} {end_words(event)}")
                if self._names:
                    self._say(text, "#D55E00" if event.failure else "")
            elif event.kind == "fault":
                self._say(f"{'':7}  {event.name}  starts again: {clean(event.failure)}", "#E69F00")
            elif event.decision is not None and self.state.decision is not None:
                self._shown = replace(self._shown, last=decision_words(self.state.decision))

    def _say(self, text: str, style: str = "") -> None:
        self._lines.put(Text(text, style, no_wrap=True))

    def acknowledge(self) -> None:
        """Say at once that the interrupt was received; may be called in a signal handler."""
        self._note = "interrupted: stopping and saving; Ctrl-C again ends at once"
        self._wake.put(_WAKE)

    def _run(self) -> None:
        pause = 0.0
        while True:
            try:
                if self._wake.get(timeout=pause) is None:
                    break
            except queue.Empty:
                pass
            began = time.thread_time()
            self._draw()
            took = time.thread_time() - began
            self.drawings, self.processor_seconds = self.drawings + 1, self.processor_seconds + took
            pause = max(_LEAST, took / _SHARE)
        self._draw(last=True)

    def _draw(self, *, last: bool = False) -> None:
        """Print the new lines, and draw the table under them."""
        size, ascii_only = self._console.size, self._shown.ascii_only
        if size.width != self._width:  # the terminal has wrapped the old lines: where they are is not known
            self._console.control(Control.clear(), Control.home())
            self._width = size.width
        texts = list[Text]()
        while not self._lines.empty():
            texts.append(self._lines.get())
        for text in texts[-_MOST_LINES:]:
            text.plain = shorten(text.plain, size.width, ascii_only=ascii_only)
        with self._lock:
            lines = frame(self.state, size.width - 1, size.height - 1, replace(self._shown, note=self._note))
        self._live.update(Group() if last else Group(*lines))
        if texts:
            self._console.print(*texts[-_MOST_LINES:], sep="\n", markup=False, highlight=False)  # draws the table, too
        else:
            self._live.refresh()
