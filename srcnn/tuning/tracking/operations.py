"""What the write-ahead log holds: one operation on one run of a search, each a frozen dataclass.

Delivery is at least once: after a crash an operation may be sent again. Every operation is therefore an idempotent write, whose
repetition leaves the store as it was: a run is looked up before it is made, metrics carry their own step and time, the rest
overwrites.

On disk an operation is one JSON object in one line: ``do`` names its kind, ``trial`` its run (null: the search's own), and the
other fields are those of the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["CreateRun", "EndRun", "LogFile", "LogMetrics", "LogText", "Operation", "SetStatus", "SetTags", "from_json"]


@dataclass(frozen=True)
class Operation:
    """One write to one run."""

    kind: ClassVar[str]  #: ``do`` on disk
    trial: str | None  #: Ray Tune's id of the trial; None: the search's own run

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able data, which `from_json` reads."""
        return {"do": self.kind, **vars(self)}


@dataclass(frozen=True)
class CreateRun(Operation):
    """Make the run of a trial, unless it has one."""

    kind = "run"
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    dataset: Mapping[str, str]  #: ``name``, ``digest`` and number of ``images`` of the training set
    time: int  #: start, in milliseconds since 1970


@dataclass(frozen=True)
class LogMetrics(Operation):
    """Log metrics of one step."""

    kind = "metrics"
    step: int  #: the epoch; 0: of the whole run
    metrics: Mapping[str, float]
    time: int  #: milliseconds since 1970


@dataclass(frozen=True)
class SetTags(Operation):
    """Set tags."""

    kind = "tags"
    tags: Mapping[str, str]


@dataclass(frozen=True)
class SetStatus(Operation):
    """Set the status of a run that goes on."""

    kind = "status"
    status: str  #: MLflow's: RUNNING


@dataclass(frozen=True)
class LogFile(Operation):
    """Log a file as an artifact; it must exist until it is sent."""

    kind = "file"
    file: str  #: path
    folder: str | None  #: of the artifact; None: the top


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
    status: str  #: MLflow's: FINISHED, FAILED or KILLED
    time: int  #: milliseconds since 1970


_KINDS: Mapping[str, type[Operation]] = {
    one.kind: one for one in (CreateRun, LogMetrics, SetTags, SetStatus, LogFile, LogText, EndRun)
}


def from_json(data: Mapping[str, Any]) -> Operation:
    """Return the operation that `Operation.to_json` wrote.

    Raises:
        KeyError: there is no such kind.
        TypeError: a field is missing, or is not one of the kind's.
    """
    return _KINDS[data["do"]](**{name: value for name, value in data.items() if name != "do"})
