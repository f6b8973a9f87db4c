"""The device of a trial, and the share of a GPU's memory that it may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from ray import get_runtime_context

from srcnn.errors import DeviceError
from srcnn.system.device import pick_device
from srcnn.system.gpu import cap_memory, total_memory

__all__ = ["CONTEXT", "Place", "memory_cap", "trial_device"]

CONTEXT = 0.6e9  #: bytes that a process takes on a GPU beside its tensors: CUDA's context and the libraries' kernels


@dataclass(frozen=True)
class Place:
    """Resources and folder of a trial."""

    folder: str  #: folder of the stage; it contains the folder of the trial, named by the trial's id
    threads: int  #: CPU threads
    gpus: float  #: share of GPUs that Tune assigned; 0: the trial runs on the CPU even if there are GPUs
    latency: bool = False  #: whether to report how long the network takes for an image
    patience: float | None = None  #: seconds without a report that count as hanging; None: see `Watchdog`


def trial_device(place: Place) -> torch.device:
    """The device of a trial in the process that Ray started for it; its memory is capped where others share it.

    Raises:
        DeviceError: Ray gave the trial a GPU that cannot be used.
    """
    # Ray shows a trial its own GPUs alone, but one that has none sees them all: that one must not take any.
    device = pick_device("auto" if place.gpus else "cpu")
    if place.gpus and device.type == "cpu" and Path("/dev/nvidiactl").exists():
        raise DeviceError("the GPU that Ray gave this trial cannot be used")
    if device.type == "cuda":
        # Trials that share a GPU must not take each other's memory, whatever their share was guessed from. Tune may have given
        # this one more than the others, after it ran out.
        share = float(get_runtime_context().get_assigned_resources().get("GPU", place.gpus))
        cap_memory(device, memory_cap(share, total_memory(device)))
    return device


def memory_cap(share: float, total: float) -> float:
    """The part of a GPU's memory, 0.01 to 1, that torch may allocate for a trial with a share of the GPU, 0 to 1 and above.

    What CUDA itself takes for the process comes out of the share. A trial with a whole GPU, or more than one, is not capped.

    Args:
        share: assigned share of the GPU.
        total: bytes that the GPU has.
    """
    return 1.0 if share >= 1 else max(0.01, share - CONTEXT / total)
