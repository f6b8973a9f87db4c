"""How much memory this process may use, and sizes in words.

A container may use less than the machine has: its limit is in the files of its control group, of version 2 or 1
(https://docs.kernel.org/admin-guide/cgroup-v2.html, ``memory.max``).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["device_memory", "machine_memory", "size_in_words"]

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_UNKNOWN = 2**63  # where no system says how much there is, nothing is refused


def machine_memory() -> int:
    """Return the memory of this machine, or of this container if that is less, in bytes."""
    found = [_UNKNOWN]
    with suppress(OSError, ValueError, AttributeError):  # sysconf: not on Windows
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in _LIMITS:
        with suppress(OSError, ValueError):  # "max": no limit
            found.append(int(limit.read_text(encoding="ascii")))
    return min(size for size in found if size > 0)


def device_memory(device: torch.device) -> int:
    """Return the memory of the GPU, or of the machine if the device is the CPU, in bytes."""
    if device.type != "cuda":
        return machine_memory()
    from srcnn.system.gpu import total_memory  # imports torch, which the readers of images do not need

    return total_memory(device)


def size_in_words(size: float) -> str:
    """Return a number of bytes as a person reads it.

    >>> size_in_words(312.4 * 2**30), size_in_words(5 * 2**20), size_in_words(3 * 2**80)
    ('312 GiB', '5 MiB', '3.38e+15 GiB')
    """
    gigabytes = size / 2**30
    if gigabytes >= 1e6:
        return f"{gigabytes:.3g} GiB"
    if gigabytes >= 10:
        return f"{gigabytes:.0f} GiB"
    return f"{gigabytes:.1f} GiB" if gigabytes >= 1 else f"{max(size / 2**20, 1):.0f} MiB"
