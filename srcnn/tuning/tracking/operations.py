"""Entries of the write-ahead log: each is one operation on one run of a search, a frozen dataclass.

Delivery is at least once: after a crash an operation may be sent again. Every operation is therefore an idempotent write:
repeating it does not change the store. A run is looked up before it is created, metrics contain their own step and time, and
all other operations overwrite.

On disk, an operation is one line with one JSON object: ``do`` is its kind, ``trial`` its run (null: the search's own run), and
the other fields are those of the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["CreateRun", "EndRun", "LogFile", "LogMetrics", "LogText", "Operation", "SetStatus", "SetTags", "from_json"]


@dataclass(frozen=True)
class Operation:
    """One idempotent write to one run."""

    kind: ClassVar[str]  #: kind of the operation, ``do`` on disk
    trial: str | None  #: Ray Tune's id of the trial; None: the search's own run

    def to_json(self) -> dict[str, Any]:
        """Return JSON-serializable data for `from_json`."""
        return {"do": self.kind, **vars(self)}


@dataclass(frozen=True)
class CreateRun(Operation):
    """Create the run of a trial, unless it exists."""

    kind = "run"
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    dataset: Mapping[str, str]  #: ``name`` and ``digest`` of the training set, and number of its ``images``
    time: int  #: start time, in milliseconds since 1970


@dataclass(frozen=True)
class LogMetrics(Operation):
    """Log the metrics of one step."""

    kind = "metrics"
    step: int  #: epoch; 0 for metrics of the whole run
    metrics: Mapping[str, float]
    time: int  #: timestamp, in milliseconds since 1970


@dataclass(frozen=True)
class SetTags(Operation):
    """Set tags."""

    kind = "tags"
    tags: Mapping[str, str]


@dataclass(frozen=True)
class SetStatus(Operation):
    """Set the status of a run that continues."""

    kind = "status"
    status: str  #: MLflow's status: RUNNING


@dataclass(frozen=True)
class LogFile(Operation):
    """Log a file as an artifact. The file must exist until the operation is sent."""

    kind = "file"
    file: str  #: path of the file
    folder: str | None  #: folder for the artifact; None: the top level


@dataclass(frozen=True)
class LogText(Operation):
    """Log a text as an artifact."""

    kind = "text"
    text: str
    name: str  #: path of the artifact


@dataclass(frozen=True)
class EndRun(Operation):
    """End a run."""

    kind = "end"
    status: str  #: MLflow's status: FINISHED, FAILED or KILLED
    time: int  #: end time, in milliseconds since 1970


_KINDS: Mapping[str, type[Operation]] = {
    one.kind: one for one in (CreateRun, LogMetrics, SetTags, SetStatus, LogFile, LogText, EndRun)
}


def from_json(data: Mapping[str, Any]) -> Operation:
    """Return an operation from the data of `Operation.to_json`.

    Raises:
        KeyError: the kind does not exist.
        TypeError: a field is missing, or does not belong to the kind.
    """
    return _KINDS[data["do"]](**{name: value for name, value in data.items() if name != "do"})
