"""What the command ``upscale`` shows while it works: a progress bar, plain lines, or JSON for programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from srcnn.system.printable import printable
from srcnn.upscaling.pipeline import Event
from srcnn.upscaling.plan import Plan

__all__ = ["Display", "JsonLines", "Lines", "ProgressBar", "Tally", "summary"]


class Tally:
    """Counts of what was done, kept by every display.

    Attributes:
        done: photos enlarged.
        failures: (photo, message).
        pixels: of all results.
    """

    def __init__(self) -> None:
        self.done = 0
        self.failures: list[tuple[Path, str]] = []
        self.pixels = 0

    def count(self, event: Event) -> None:
        """Count an event."""
        if event.kind == "done":
            self.done += 1
            self.pixels += event.size[0] * event.size[1]
        elif event.kind == "failed":
            self.failures.append((event.job.source, event.message))


class Display(Protocol):
    """Shows a run."""

    def begin(self, plan: Plan) -> None:
        """Show what is to be done."""

    def event(self, event: Event) -> None:
        """Show what happened to a photo."""

    def end(self, tally: Tally, plan: Plan, seconds: float, *, interrupted: bool) -> None:
        """Show what was done."""


def _amount(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def summary(tally: Tally, plan: Plan, seconds: float) -> str:
    """Return one line with the counts."""
    speed = f", {tally.pixels / 1e6 / seconds:.1f} Mpixel/s" if tally.pixels and seconds > 0 else ""
    parts = [f"{_amount(tally.done, 'photo')} enlarged in {seconds:.1f} s{speed}"]
    if plan.finished:
        parts.append(f"{plan.finished} finished before")
    failed = len(tally.failures) + len(plan.failures)
    if failed:
        parts.append(f"{failed} failed")
    if plan.skipped:
        parts.append("skipped: " + ", ".join(_counted(plan.skipped)))
    return "; ".join(parts)


def _counted(skipped: Counter[str]) -> list[str]:
    return [f"{reason} {count}" for reason, count in sorted(skipped.items())]


def _result(event: Event) -> str:
    notes = f" ({'; '.join(event.notes)})" if event.notes else ""
    width, height = event.size
    return f"{printable(event.job.source)} -> {printable(event.job.output)}, {width}x{height}, {event.seconds:.1f} s{notes}"


class Lines:
    """A line for each photo.

    Args:
        quiet: print failures only.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._total = 0
        self._at = 0

    def begin(self, plan: Plan) -> None:
        """Print failures that are known already."""
        self._total = len(plan.jobs)
        for _, message in plan.failures:
            self._fail(message)

    def _fail(self, message: str) -> None:
        print(f"failed: {message}", file=sys.stderr)

    def event(self, event: Event) -> None:
        """Print a finished or failed photo."""
        if event.kind == "failed":
            self._at += 1
            self._fail(event.message)
        elif event.kind == "done":
            self._at += 1
            if not self._quiet:
                print(f"[{self._at}/{self._total}] {_result(event)}", flush=True)

    def end(self, tally: Tally, plan: Plan, seconds: float, *, interrupted: bool) -> None:
        """Print the counts."""
        if not self._quiet and not interrupted:
            print(summary(tally, plan, seconds))


class ProgressBar:
    """A bar over all photos, with the present one's name; finished photos scroll by above it.

    Args:
        console: the terminal; None: that of the standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        name = TextColumn("{task.fields[photo]}", markup=False)  # a name may contain [red]
        self._progress = Progress(
            BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), name, console=self._console, transient=True
        )
        self._task = self._progress.add_task("", total=None, photo="")
        self._pixels = 0

    def begin(self, plan: Plan) -> None:
        """Start the bar."""
        for _, message in plan.failures:
            self._console.print(Text(f"failed: {message}", "red"), soft_wrap=True)
        self._progress.update(self._task, total=sum(job.pixels for job in plan.jobs))
        self._progress.start()

    def event(self, event: Event) -> None:
        """Advance the bar; print finished and failed photos."""
        pixels = event.job.pixels
        if event.kind == "started":
            self._progress.update(self._task, photo=printable(event.job.source.name))
        elif event.kind == "progress":
            self._progress.update(self._task, completed=self._pixels + event.fraction * pixels)
        else:
            self._pixels += pixels
            self._progress.update(self._task, completed=self._pixels)
            failed = event.kind == "failed"
            text = Text(f"failed: {event.message}", "red") if failed else Text(_result(event))
            self._console.print(text, soft_wrap=True)

    def end(self, tally: Tally, plan: Plan, seconds: float, *, interrupted: bool) -> None:
        """Remove the bar and print the counts."""
        self._progress.stop()
        if not interrupted:
            self._console.print(Text(summary(tally, plan, seconds)), soft_wrap=True)


class JsonLines:
    """One JSON object a line on the standard output. Bytes of a name that are no UTF-8 are lone surrogates, as Python has them.

    ``plan`` (photos, finished, skipped), ``failed`` (photo, message), ``started`` (photo), ``progress`` (photo, fraction;
    each hundredth at most), ``done`` (photo, result, compare, width, height, seconds, notes), ``end`` (done, failed,
    finished, skipped, seconds, interrupted).
    """

    def __init__(self) -> None:
        self._shown = -1

    def _print(self, kind: str, fields: Mapping[str, object]) -> None:
        print(json.dumps({"event": kind, **fields}), flush=True)

    def begin(self, plan: Plan) -> None:
        """Print the plan, and failures that are known already."""
        about = {"photos": len(plan.jobs), "finished": plan.finished, "skipped": dict(plan.skipped)}
        self._print("plan", about)
        for path, message in plan.failures:
            self._print("failed", {"photo": str(path), "message": message})

    def event(self, event: Event) -> None:
        """Print an event."""
        fields: dict[str, object] = {"photo": str(event.job.source)}
        if event.kind == "started":
            self._shown = -1
        elif event.kind == "progress":
            hundredth = int(100 * event.fraction)
            if hundredth == self._shown:
                return
            self._shown = hundredth
            fields["fraction"] = round(event.fraction, 4)
        elif event.kind == "failed":
            fields["message"] = event.message
        else:
            compare = event.job.compare
            fields |= {"result": str(event.job.output), "compare": None if compare is None else str(compare)}
            fields |= {"width": event.size[0], "height": event.size[1], "seconds": round(event.seconds, 3)}
            fields["notes"] = list(event.notes)
        self._print(event.kind, fields)

    def end(self, tally: Tally, plan: Plan, seconds: float, *, interrupted: bool) -> None:
        """Print the counts."""
        failed = len(tally.failures) + len(plan.failures)
        fields = {"done": tally.done, "failed": failed, "finished": plan.finished, "skipped": dict(plan.skipped)}
        self._print("end", {**fields, "seconds": round(seconds, 3), "interrupted": interrupted})
