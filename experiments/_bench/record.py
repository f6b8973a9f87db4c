"""Results of the benchmark: one JSON file for all sections, and one way to print a table."""

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

_MOMENT = ("date", "load", "commit")  #: what may differ between two commands that measure the same


def summary(values: Sequence[float]) -> dict[str, float]:
    """n, median, min and max of some measurements; empty of none."""
    if not values:
        return {"n": 0}
    return {"n": len(values), "median": statistics.median(values), "min": min(values), "max": max(values)}


class Record:
    """A JSON file that holds sections by name, under ``environments`` where each was measured, and under ``provenance`` by which
    command.

    ``environment`` is that of the last command that wrote. None instead of a file: nothing is written. ``about``: the command's
    header (`_bench.provenance.header`); None: the file gets none.

    Raises:
        ConfigError: the file is there but is none of ours.
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
                raise ConfigError(f"--json: {path} holds no results of bench.py")
        self._all["environment"] = environment

    @property
    def environment(self) -> dict[str, Any]:
        """Where this command measures."""
        found: dict[str, Any] = self._all["environment"]
        return found

    def get(self, section: str) -> Any:
        """What an earlier command left of a section in the same environment; None: nothing."""
        before = self._all.get("environments", {}).get(section, {})
        same = all(before.get(k) == v for k, v in self.environment.items() if k not in _MOMENT)
        return self._all.get(section) if same else None

    def put(self, section: str, result: Any, **about: Any) -> None:
        """Take a section's result and write the file. ``about``: what its header says otherwise, such as ``n`` or ``seed``."""
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
    """What every section is given."""

    console: Console
    record: Record
    device: str  #: cpu, or cuda:N
    core: int | None  #: the core that is measured; None: not pinned
    data_root: str | None
    quick: bool
    kernels: tuple[str, ...]
    seeds: int
    started: float = field(default_factory=time.monotonic)

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU that is measured."""
        return self.device != "cpu"

    def say(self, text: str) -> None:
        """A line of progress, with the seconds so far."""
        self.console.print(f"{time.monotonic() - self.started:6.0f} s  {text}")

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], notes: Sequence[str]) -> None:
        """Print a table; numbers to the right, and what must be known to read it below."""
        table = Table(title=title, title_justify="left")
        for i, head in enumerate(heads):
            table.add_column(head, justify="left" if i == 0 else "right")
        for row in rows:
            table.add_row(*map(str, row))
        self.console.print(table)
        for note in notes:
            self.console.print(f"  {note}")
