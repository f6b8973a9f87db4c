"""Memory that is given back to the system between two training steps has to be faulted in again at the next.

Every step allocates and frees the same large activations. glibc returns such blocks to the kernel at once and the kernel
clears them page by page when they are used again, which made the first layer of a 9-1-5 network three times slower
on a virtual machine. Keeping them in the process costs nothing, since the next step asks for the same sizes.
"""

from __future__ import annotations

import ctypes
from functools import cache

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names and values of malloc.h
_BYTES = 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep freed blocks below 1 GiB for reuse; once per process, False on another libc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # musl, macOS and Windows have no mallopt
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _BYTES) and mallopt(_M_TRIM_THRESHOLD, _BYTES))
