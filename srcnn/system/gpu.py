"""What the library asks of CUDA, always for a device with an index.

torch takes ``cuda`` without an index in most places and refuses it in some, and a function that takes no device means the one
that is current in the process. Here every question names its device, so that ``cuda:1`` is never answered by ``cuda:0``.

A process keeps some hundred megabytes of a GPU from its first question about it to its end. `gpu_name` and `used_memory` ask
the driver's own program instead, for a process that trains nothing itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import AbstractContextManager, nullcontext, suppress

import torch

from srcnn.system.torch_internals import clear_cublas_workspaces

__all__ = [
    "cap_memory",
    "capability",
    "gpu_count",
    "gpu_index",
    "gpu_name",
    "has_bf16",
    "memory_info",
    "on",
    "peak_reserved",
    "release_memory",
    "reserved",
    "reset_peak",
    "total_memory",
    "used_memory",
    "wait",
]


def gpu_count() -> int:
    """GPUs that this process may use: all, or those of CUDA_VISIBLE_DEVICES. Takes none of their memory."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_index() -> int:
    """The index of the GPU that is current in this process; 0 where the process has not used one yet."""
    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]


def capability(device: torch.device) -> tuple[int, int]:
    """The compute capability, such as (8, 0) for Ampere."""
    found = torch.cuda.get_device_capability(device)
    return found[0], found[1]


def has_bf16(device: torch.device) -> bool:
    """Whether the GPU multiplies bfloat16 natively: Ampere or later."""
    with on(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def total_memory(device: torch.device) -> int:
    """Bytes of memory that the GPU has."""
    return int(torch.cuda.get_device_properties(device).total_memory)


def memory_info(device: torch.device) -> tuple[int, int]:
    """Bytes that are free and bytes that there are on the whole GPU, whoever uses them."""
    free, total = torch.cuda.mem_get_info(device)
    return int(free), int(total)


def cap_memory(device: torch.device, fraction: float) -> None:
    """Let this process allocate no more than a part of the GPU's memory, 0 to 1; above it torch.OutOfMemoryError is raised.

    CUDA's own context does not count.
    """
    torch.cuda.set_per_process_memory_fraction(fraction, device)


def reset_peak(device: torch.device) -> None:
    """Begin to look for the peak of `peak_reserved`."""
    torch.cuda.reset_peak_memory_stats(device)


def peak_reserved(device: torch.device) -> int:
    """The most bytes that torch's allocator has held at a time since `reset_peak`, whether tensors filled them or not."""
    return int(torch.cuda.max_memory_reserved(device))


def reserved(device: torch.device) -> int:
    """Bytes that torch's allocator holds now."""
    return int(torch.cuda.memory_reserved(device))


def release_memory(device: torch.device) -> None:
    """Give back what the allocator and cuBLAS keep and no tensor needs. Nothing on a CPU."""
    if device.type == "cuda":
        clear_cublas_workspaces()
        torch.cuda.empty_cache()


def wait(device: torch.device) -> None:
    """Until the device has done all that it was asked to. A CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def on(device: torch.device) -> AbstractContextManager[object]:
    """Make a GPU the current one within the block. Nothing on a CPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def gpu_name(index: int = 0) -> str | None:
    """The name of one of the GPUs that this process may use, without touching it; None where there is no such GPU."""
    if index >= gpu_count():
        return None
    return _ask("name", index) or "a GPU"


def used_memory() -> float | None:
    """Bytes that all processes together use of the first GPU that this process may use, without touching it.

    None where the driver's program does not say.
    """
    answer = _ask("memory.used", 0)
    try:
        return None if answer is None else float(answer) * 2**20
    except ValueError:  # "[N/A]", on a part of a card
        return None


def _ask(field: str, index: int) -> str | None:
    """A field of nvidia-smi for one of the visible GPUs."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    shown = visible[index].strip() if len(visible) > index else ""
    command = [program, f"--id={shown or index}", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        return found.splitlines()[0].strip() if found else None
    return None
