"""Device of a trial, and its limit of GPU memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from ray import get_runtime_context

from srcnn.errors import DeviceError
from srcnn.system.device import pick_device
from srcnn.system.gpu import cap_memory, total_memory

__all__ = ["CONTEXT", "Place", "memory_cap", "trial_device"]

CONTEXT = 0.6e9  #: GPU memory of a process besides its tensors, in bytes: CUDA context and kernels of the libraries


@dataclass(frozen=True)
class Place:
    """Folder and resources of a trial."""

    folder: str  #: folder of the stage, which contains the trial's folder, named by its id
    threads: int  #: number of CPU threads
    gpus: float  #: number of GPUs that Tune assigns; 0: the trial runs on the CPU, even if the machine has GPUs
    latency: bool = False  #: whether to report the latency of the network
    #: Seconds without a report after which the trial counts as hung; None: see `Watchdog`.
    patience: float | None = None
    patterns: bool = False  #: whether to measure the network of a full trial on the drawn patterns


def trial_device(place: Place) -> torch.device:
    """Return the device of a trial, and limit its memory if other trials share the GPU. Call it in the worker process.

    Raises:
        DeviceError: Ray assigned a GPU that cannot be used.
    """
    # Ray makes only the assigned GPUs visible, but a trial without GPUs sees all of them, and must not use them.
    device = pick_device("auto" if place.gpus else "cpu")
    if place.gpus and device.type == "cpu" and Path("/dev/nvidiactl").exists():
        raise DeviceError("the GPU that Ray assigned to this trial cannot be used")
    if device.type == "cuda":
        # Trials that share a GPU must not use each other's memory, even if the estimate of their share was wrong. After an
        # out-of-memory error, Tune may have assigned a larger share to this trial than to the others.
        share = float(get_runtime_context().get_assigned_resources().get("GPU", place.gpus))
        cap_memory(device, memory_cap(share, total_memory(device)))
    return device


def memory_cap(share: float, total: float) -> float:
    """Return the fraction of a GPU's memory, 0.01 to 1, that torch may allocate for a trial with a share of the GPU.

    The memory of the CUDA context is subtracted from the share. A trial with one or more whole GPUs has no limit.

    Args:
        share: share of the GPU, 0 to 1, or more for several GPUs.
        total: memory of the GPU in bytes.
    """
    return 1.0 if share >= 1 else max(0.01, share - CONTEXT / total)
