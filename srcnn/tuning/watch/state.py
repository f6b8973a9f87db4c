"""State of a search as its file ``live.json`` tells it, and whether the process that writes it is still there.

The file may be of another version, or old, so it is read by models that check every field and know a default for most.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from srcnn.system.bounded_read import parse_json, read_text
from srcnn.tuning.driver.live_state import FILE, State

__all__ = ["Best", "DecisionMade", "Health", "Live", "TimeLeft", "Trial", "WatchedSearch", "process_is_there"]

_VERSION = 1  # of the file's format, see `srcnn.tuning.driver.live_state`
_QUIET = 600.0  # seconds without an event after which the page says so, though the process is there

_ENDS = {
    "ended": "all stages are done",
    "interrupted": "a person or the system has stopped the search; it can be resumed",
    "failed": "the search ended with an error; it can be resumed",
}


def _known(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Finite = Annotated[float, Field(allow_inf_nan=False)]
#: None: not known, also where the file has NaN.
Known = Annotated[float | None, BeforeValidator(_known)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Trial(_Read):
    """One trial."""

    id: str
    name: str
    scale: int
    stage: str = "search"
    reference: bool = False  #: whether it is the paper's network
    state: State = "running"
    epoch: int = 0
    epochs: int = 0  #: number of epochs of a full trial; 0: not yet known
    curve: tuple[float, ...] = ()  #: gain over bicubic after every epoch, in dB; NaN is possible
    gain: Known = None  #: highest gain so far, in dB
    seconds: Finite = 0.0
    device: str = ""
    failure: str = ""


class Best(_Read):
    """Best trial of a scale."""

    trial: str
    name: str
    gain: Finite  #: in dB
    reference: bool = False


class TimeLeft(_Read):
    """Expected time to the end of the stage."""

    seconds: Finite
    error: Finite  #: two standard errors, in seconds


class DecisionMade(_Read):
    """Latest decision; gains as in `srcnn.tuning.trials.decision.Decision`, in units of the objective."""

    trial: str
    name: str
    scale: int
    kind: str
    epoch: int
    by: str
    predicted: Known = None
    spread: Known = None
    best: Known = None
    best_name: str = ""
    instead: str = ""
    rivals: int = 0
    note: str = ""


class Live(_Read):
    """The whole file."""

    version: Literal[1]
    search: str
    state: Literal["running", "ended", "interrupted", "failed"]
    pid: int
    updated: datetime  #: time of the last write, UTC
    stage: str = "search"
    trials_planned: int = 0
    ended: int = 0  #: trials of the running stage that have ended
    counts: dict[str, int] = Field(default_factory=dict)  #: trials of the running stage by their state
    slots: int = 0
    elapsed: Finite = 0.0  #: seconds since the start of the process
    core_seconds: Finite = 0.0
    limit: Finite | None = None
    left: TimeLeft | None = None
    best: dict[int, Best] = Field(default_factory=dict)
    references: dict[int, Finite] = Field(default_factory=dict)
    decision: DecisionMade | None = None
    trials: tuple[Trial, ...] = ()
    about: dict[str, Any] = Field(default_factory=dict)

    @property
    def running(self) -> list[Trial]:
        """Trials that were running when the file was written."""
        return [trial for trial in self.trials if trial.state == "running"]

    @property
    def scales(self) -> list[int]:
        """Scales of the search, ascending."""
        return sorted({trial.scale for trial in self.trials} | set(self.best))


@dataclass(frozen=True)
class Health:
    """Whether a search still goes on."""

    #: ``unknown``: there is no file, or it cannot be read; ``killed``: the file says running, but its process is gone;
    #: the others as in the file.
    kind: Literal["unknown", "running", "killed", "ended", "interrupted", "failed"]
    age: float  #: seconds since the last update; 0 if unknown
    text: str  #: in words


@dataclass(frozen=True)
class WatchedSearch:
    """What is known about a search at one moment."""

    name: str
    live: Live | None  #: None: there is no file, or it cannot be read
    health: Health
    stamp: str  #: differs if anything but the age differs

    @classmethod
    def read(cls, folder: Path) -> WatchedSearch:
        """Read the file in the folder of a search; never an error, because a page is to be shown in any case."""
        file = folder / FILE
        try:
            at = file.stat()
            live = Live.model_validate(parse_json(read_text(file)))
        except FileNotFoundError:
            text = f"the search has written no {FILE} yet; the page begins by itself when it does"
            return cls(folder.name, None, Health("unknown", 0.0, text), "none")
        except (OSError, ValueError, ValidationError) as error:
            first = str(error).splitlines()[0]
            text = f"{FILE} in {folder} cannot be read; another version of this project may have written it ({first})"
            return cls(folder.name, None, Health("unknown", 0.0, text), f"unreadable {first}")
        health = _health(live)
        return cls(live.search, live, health, f"{at.st_mtime_ns}-{at.st_size}-{health.kind}-{health.age > _QUIET}")


def _health(live: Live) -> Health:
    age = max(0.0, (datetime.now(UTC) - live.updated.astimezone(UTC)).total_seconds())
    if live.state != "running":
        return Health(live.state, age, _ENDS[live.state])
    if not process_is_there(live.pid, live.updated):
        text = (
            f"the search's process {live.pid} is not on this machine any more, and left no word of an end; the search can be "
            "resumed"
        )
        return Health("killed", age, text)
    quiet = ", which is there but has sent nothing for long" if age > _QUIET else ""
    return Health("running", age, f"process {live.pid}{quiet}")


def process_is_there(pid: int, since: datetime) -> bool:
    """Return whether a process of this machine has this number and was started before a moment.

    A later one with the same number is another process. Where the start of processes is not known, the number decides.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is somebody else's
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields[0] in ("Z", "X"):  # it has ended, and its parent has not asked yet
            return False
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return True
    return datetime.now(UTC).timestamp() - age <= since.timestamp() + 2.0  # the file's time is in whole seconds
