"""Classification of the errors that end an attempt of a trial, by exception type, and the resources for the next attempt."""

from __future__ import annotations

import enum
import errno
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import (
    ActorUnschedulableError,
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfDiskError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from ray.tune.experiment import Trial

from srcnn.errors import DeviceError, NoSpaceError, SearchError
from srcnn.system.torch_internals import is_device_lost, is_out_of_memory

__all__ = ["DiskFull", "Fault", "error_line", "fault_of", "is_disk_full", "more_room"]

_FULL = (NoSpaceError, OutOfDiskError)
_MEMORY = (MemoryError, OutOfMemoryError)
_LOST = (
    RayActorError,  # the process died or is unreachable
    WorkerCrashedError,
    NodeDiedError,
    LocalRayletDiedError,
    ObjectLostError,  # the training data was stored on a machine that was lost
    ActorUnschedulableError,  # the machine on which the process was to run was lost
    TaskUnschedulableError,
    DeviceError,
)


class DiskFull(SearchError):
    """No space left on the disk. The search has lost no data, and can be resumed when there is space.

    Args:
        folder: folder on the full disk.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"storage: no space left for {folder}")
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._folder,)


class Fault(enum.Enum):
    """Kinds of faults."""

    DISK_FULL = "disk full"  #: no space left on the disk, which affects every trial until space is freed
    MEMORY = "out of memory"  #: not enough memory on the GPU or on the machine
    LOST = "lost"  #: the process hung, or the process, its GPU or its machine was lost
    OWN = "own"  #: an exception in the trial's own code


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes: Ray wraps errors of workers, and Tune wraps errors of callbacks."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        cause = error.cause if isinstance(error, RayTaskError) else None
        error = cause or error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    return isinstance(error, _FULL) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is a full disk."""
    return any(_is_full(one) for one in _chain(error))


def fault_of(error: BaseException | None) -> Fault:
    """Return the kind of a fault, from the types of the error and its causes.

    If several kinds match, a full disk has priority over memory, and memory over a lost process.
    """
    found = list(_chain(error))
    if any(_is_full(one) for one in found):
        return Fault.DISK_FULL
    if any(isinstance(one, _MEMORY) or is_out_of_memory(one) for one in found):
        return Fault.MEMORY
    if any(isinstance(one, _LOST) or is_device_lost(one) for one in found):
        return Fault.LOST
    return Fault.OWN


def error_line(error: BaseException | None, text: str = "") -> str:
    """Return what ended a trial, in one line: the last line of a traceback, or what happened to its process.

    Args:
        error: the latest error; None: only its text is known.
        text: text of the error.
    """
    if fault_of(error) is Fault.LOST and not isinstance(error, RayTaskError):
        preempted = isinstance(error, RayActorError) and error.preempted
        return "its machine was taken away" if preempted else "its process died"
    lines = (text if error is None else str(error)).strip().splitlines()
    return (lines or ["an unknown error"])[-1][:500]


def more_room(trial: Trial) -> tune.PlacementGroupFactory:
    """Return the resources for the next attempt of a trial that ran out of memory.

    A trial on a share of a GPU gets twice that share, at most one GPU. A trial without a GPU gets twice its cores, at most those
    of the largest machine, so that fewer trials run at the same time on its machine. A trial on a whole GPU gets the same.
    """
    head, *_ = trial.placement_group_factory.bundles
    cpus, gpus = head.get("CPU", 1.0), head.get("GPU", 0.0)
    if 0 < gpus < 1:
        return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": min(1.0, 2 * gpus)}])
    if not gpus:
        most = max((node["Resources"].get("CPU", 1.0) for node in ray.nodes() if node["Alive"]), default=cpus)
        return tune.PlacementGroupFactory([{"CPU": max(cpus, min(most, math.ceil(2 * cpus)))}])
    return trial.placement_group_factory
