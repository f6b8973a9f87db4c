"""What ended an attempt of a trial, told by its error, and what the next attempt needs."""

from __future__ import annotations

import enum
import errno
import math
from pathlib import Path

import ray
from ray.tune.execution.placement_groups import PlacementGroupFactory
from ray.tune.experiment import Trial

from srcnn.errors import SearchError

__all__ = ["DiskFull", "Fault", "fault_of", "is_disk_full", "more_room"]


class DiskFull(SearchError):
    """Nothing can be written any more. A search that ends by it has lost nothing, and goes on when there is room.

    Args:
        folder: on the disk.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(f"storage: no space left for {folder}")


def is_disk_full(error: BaseException | None) -> bool:
    """Whether that is at the bottom of an error; Tune wraps what its callbacks raise."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


class Fault(enum.Enum):
    """Kinds of accidents."""

    DISK_FULL = "disk full"  #: the same for every trial until somebody makes room
    MEMORY = "out of memory"  #: of the GPU, or of the machine
    LOST = "lost"  #: the process, its GPU or its machine went away, or it hung
    OWN = "own"  #: the trial's own code raised


_WORDS = {
    Fault.DISK_FULL: ("No space left on device", "Disk quota exceeded", "os error 28"),
    Fault.MEMORY: (
        "OutOfMemoryError",
        "CUDA out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "low on memory",
        "MemoryError",
    ),
    Fault.LOST: (
        "ActorDiedError",
        "ActorUnavailableError",
        "WorkerCrashedError",
        "NodeDiedError",
        "RayActorError",
        "ObjectLostError",
        "OwnerDiedError",
        "CUDA error",
        "cannot be used",
        "The actor",
        "actor died",
    ),
}


def fault_of(error: str) -> Fault:
    """The kind of an error, by its words: it comes from another process, and often as text alone."""
    return next((fault for fault, words in _WORDS.items() if any(word in error for word in words)), Fault.OWN)


def more_room(trial: Trial) -> PlacementGroupFactory:
    """What a trial that ran out of memory gets next: twice its share of a GPU, up to a whole one; else twice its cores, so
    that fewer run beside it on the machine, up to those of the largest one."""
    head, *_ = trial.placement_group_factory.bundles
    cpus, gpus = head.get("CPU", 1.0), head.get("GPU", 0.0)
    if 0 < gpus < 1:
        return PlacementGroupFactory([{"CPU": cpus, "GPU": min(1.0, 2 * gpus)}])
    if not gpus:
        most = max((node["Resources"].get("CPU", 1.0) for node in ray.nodes() if node["Alive"]), default=cpus)
        return PlacementGroupFactory([{"CPU": max(cpus, min(most, math.ceil(2 * cpus)))}])
    return trial.placement_group_factory
