"""What ended an attempt of a trial, told by the type of its error, and what the next attempt needs."""

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
    RayActorError,  # the process died, or cannot be reached
    WorkerCrashedError,
    NodeDiedError,
    LocalRayletDiedError,
    ObjectLostError,  # the data of the trial went away with the machine that kept it
    ActorUnschedulableError,  # the machine it was meant for went away
    TaskUnschedulableError,
    DeviceError,
)


class DiskFull(SearchError):
    """Nothing can be written any more. A search that ends by it has lost nothing, and goes on when there is room.

    Args:
        folder: on the disk.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"storage: no space left for {folder}")
        self._folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._folder,)


class Fault(enum.Enum):
    """Kinds of accidents."""

    DISK_FULL = "disk full"  #: the same for every trial until somebody makes room
    MEMORY = "out of memory"  #: of the GPU, or of the machine
    LOST = "lost"  #: the process, its GPU or its machine went away, or it hung
    OWN = "own"  #: the trial's own code raised


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what caused it; Ray wraps what a worker raised, Tune what a callback raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        cause = error.cause if isinstance(error, RayTaskError) else None
        error = cause or error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    return isinstance(error, _FULL) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def is_disk_full(error: BaseException | None) -> bool:
    """Whether that is the error, or what caused it."""
    return any(_is_full(one) for one in _chain(error))


def fault_of(error: BaseException | None) -> Fault:
    """The kind of an error, by its type and the types of what caused it. A full disk goes before memory, memory before a loss."""
    found = list(_chain(error))
    if any(_is_full(one) for one in found):
        return Fault.DISK_FULL
    if any(isinstance(one, _MEMORY) or is_out_of_memory(one) for one in found):
        return Fault.MEMORY
    if any(isinstance(one, _LOST) or is_device_lost(one) for one in found):
        return Fault.LOST
    return Fault.OWN


def error_line(error: BaseException | None, text: str = "") -> str:
    """What ended a trial, in a line: the last one of a traceback, or what happened to its process.

    Args:
        error: the newest one; None: only its text is known.
        text: of the error.
    """
    if fault_of(error) is Fault.LOST and not isinstance(error, RayTaskError):
        preempted = isinstance(error, RayActorError) and error.preempted
        return "its machine was taken away" if preempted else "its process died"
    lines = (text if error is None else str(error)).strip().splitlines()
    return (lines or ["an unknown error"])[-1][:500]


def more_room(trial: Trial) -> tune.PlacementGroupFactory:
    """What a trial that ran out of memory gets next: twice its share of a GPU, up to a whole one; else twice its cores, so
    that fewer run beside it on the machine, up to those of the largest one."""
    head, *_ = trial.placement_group_factory.bundles
    cpus, gpus = head.get("CPU", 1.0), head.get("GPU", 0.0)
    if 0 < gpus < 1:
        return tune.PlacementGroupFactory([{"CPU": cpus, "GPU": min(1.0, 2 * gpus)}])
    if not gpus:
        most = max((node["Resources"].get("CPU", 1.0) for node in ray.nodes() if node["Alive"]), default=cpus)
        return tune.PlacementGroupFactory([{"CPU": max(cpus, min(most, math.ceil(2 * cpus)))}])
    return trial.placement_group_factory
