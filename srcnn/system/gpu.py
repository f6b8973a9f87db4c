"""Access to CUDA, always for a device with an index.

torch accepts ``cuda`` without an index in most functions and rejects it in some, and a function without a device argument
uses the current device of the process. Here every function has a device argument, so that a call for ``cuda:1`` never
returns the state of ``cuda:0``.

The first CUDA call of a process reserves some hundred megabytes of GPU memory until the process ends. `gpu_name` and
`used_memory` use nvidia-smi instead, for processes that do not train.
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
    """Return the number of GPUs visible to this process (CUDA_VISIBLE_DEVICES). Uses no GPU memory."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def gpu_index() -> int:
    """Return the index of the current GPU of this process; 0 if the process has not used one yet."""
    return torch.cuda.current_device() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]


def capability(device: torch.device) -> tuple[int, int]:
    """Return the compute capability, such as (8, 0) for Ampere."""
    found = torch.cuda.get_device_capability(device)
    return found[0], found[1]


def has_bf16(device: torch.device) -> bool:
    """Return whether the GPU multiplies bfloat16 in hardware: Ampere or later."""
    with on(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def total_memory(device: torch.device) -> int:
    """Return the size of the GPU's memory, in bytes."""
    return int(torch.cuda.get_device_properties(device).total_memory)


def memory_info(device: torch.device) -> tuple[int, int]:
    """Return the free and the total memory of the GPU, in bytes, over all processes."""
    free, total = torch.cuda.mem_get_info(device)
    return int(free), int(total)


def cap_memory(device: torch.device, fraction: float) -> None:
    """Limit the GPU memory of this process to a fraction, 0 to 1. Beyond it torch raises torch.OutOfMemoryError.

    The memory of the CUDA context is not included.
    """
    torch.cuda.set_per_process_memory_fraction(fraction, device)


def reset_peak(device: torch.device) -> None:
    """Reset the maximum that `peak_reserved` returns."""
    torch.cuda.reset_peak_memory_stats(device)


def peak_reserved(device: torch.device) -> int:
    """Return the maximum memory reserved by torch's allocator since `reset_peak`, in bytes, whether used by tensors or not."""
    return int(torch.cuda.max_memory_reserved(device))


def reserved(device: torch.device) -> int:
    """Return the memory reserved by torch's allocator now, in bytes."""
    return int(torch.cuda.memory_reserved(device))


def release_memory(device: torch.device) -> None:
    """Release memory that the allocator and cuBLAS hold but no tensor uses. Does nothing on a CPU."""
    if device.type == "cuda":
        clear_cublas_workspaces()
        torch.cuda.empty_cache()


def wait(device: torch.device) -> None:
    """Wait until the device has finished all submitted work. Returns at once on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def on(device: torch.device) -> AbstractContextManager[object]:
    """Return a context manager that makes a GPU the current one. Does nothing on a CPU."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def gpu_name(index: int = 0) -> str | None:
    """Return the name of a visible GPU without a CUDA call; None if there is no such GPU."""
    if index >= gpu_count():
        return None
    return _ask("name", index) or "a GPU"


def used_memory() -> float | None:
    """Return the memory used by all processes on the first visible GPU, in bytes, without a CUDA call.

    None if nvidia-smi does not report it.
    """
    answer = _ask("memory.used", 0)
    try:
        return None if answer is None else float(answer) * 2**20
    except ValueError:  # "[N/A]", for a MIG partition of a GPU
        return None


def _ask(field: str, index: int) -> str | None:
    """Return a field of nvidia-smi for one of the visible GPUs."""
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
