"""The allocator's setting. What it does for speed is for benchmarks to say; here, that asking is safe."""

from __future__ import annotations

import platform

from srcnn.system.allocator import keep_freed_memory


def test_may_be_asked_twice() -> None:
    first = keep_freed_memory()
    assert isinstance(first, bool)
    assert keep_freed_memory() is first


def test_glibc_agrees() -> None:
    if platform.libc_ver()[0] == "glibc":
        assert keep_freed_memory()
