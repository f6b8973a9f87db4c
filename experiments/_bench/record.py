"""Results of the benchmark: one JSON file for all sections, and a function to print tables."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from srcnn.errors import ConfigError
from srcnn.system.atomic_file import atomic_write

__all__ = ["Bench", "Record", "summary"]

_MOMENT = ("date", "load", "commit")  #: fields that may differ between two measurements in the same environment


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return n, median, min and max of some measurements; empty if there are none."""
    if not values:
        return {"n": 0}
    return {"n": len(values), "median": statistics.median(values), "min": min(values), "max": max(values)}


class Record:
    """A JSON file of sections by name, with their environments under ``environments`` and their headers under ``provenance``.

    ``environment`` is that of the last command that wrote. If the file is None, nothing is written. ``about`` is the
    header of the command (`_bench.provenance.header`); None: no header.

    Raises:
        ConfigError: the file exists but has another format.
    """

    def __init__(self, path: Path | None, environment: dict[str, Any], about: Mapping[str, Any] | None = None) -> None:
        self._path, self._about = path, about
        self._all: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                self._all = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise ConfigError(f"--json: {path} cannot be read ({error})") from None
            if not isinstance(self._all, dict) or "environments" not in self._all:
                raise ConfigError(f"--json: {path} must contain results of bench.py")
        self._all["environment"] = environment

    @property
    def environment(self) -> dict[str, Any]:
        """The environment of this command."""
        found: dict[str, Any] = self._all["environment"]
        return found

    def get(self, section: str) -> Any:
        """Return the stored result of a section in the same environment; None if there is none."""
        before = self._all.get("environments", {}).get(section, {})
        same = all(before.get(k) == v for k, v in self.environment.items() if k not in _MOMENT)
        return self._all.get(section) if same else None

    def put(self, section: str, result: Any, **about: Any) -> None:
        """Store the result of a section and write the file.

        ``about``: changed fields of its header, such as ``n`` or ``seed``.
        """
        self._all[section] = result
        if self._about is not None:
            self._all.setdefault("provenance", {})[section] = {**self._about, **about}
        self._all.setdefault("environments", {})[section] = self.environment
        if self._path is None:
            return
        try:
            with atomic_write(self._path) as file:
                file.write_text(json.dumps(self._all, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--json: {self._path} cannot be written ({error.strerror})") from None


@dataclass
class Bench:
    """The inputs of every section."""

    console: Console
    record: Record
    device: str  #: cpu, or cuda:N
    core: int | None  #: the core for measurements; None: not pinned
    data_root: str | None
    quick: bool
    kernels: tuple[str, ...]
    seeds: int
    budget: float  #: target pixels of a full trial in searches
    seconds: float = 120.0  #: core-seconds of a training in tricks
    jobs: int = 2  #: trainings at a time in tricks
    scales: tuple[int, ...] = (2, 3, 4)  #: scales of tricks
    rows: str | None = None  #: rows of tricks, joined by ``;``; None: all
    search: str | None = None  #: the search of search-record
    before: Path | None = None  #: checkout of an earlier commit to compare with, in train-deep
    started: float = field(default_factory=time.monotonic)

    @property
    def on_gpu(self) -> bool:
        """Whether the measured device is a GPU."""
        return self.device != "cpu"

    def say(self, text: str) -> None:
        """Print a line of progress with the elapsed seconds."""
        self.console.print(f"{time.monotonic() - self.started:6.0f} s  {text}")

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str]) -> None:
        """Print a table with right-aligned numbers, and notes below it."""
        table = Table(title=title, title_justify="left")
        for i, head in enumerate(heads):
            table.add_column(head, justify="left" if i == 0 else "right")
        for row in rows:
            table.add_row(*map(str, row))
        self.console.print(table)
        for note in notes:
            self.console.print(f"  {note}")
