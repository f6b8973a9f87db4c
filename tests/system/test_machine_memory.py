"""How much memory there is, and sizes in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from srcnn.system import machine_memory as module
from srcnn.system.machine_memory import device_memory, machine_memory, size_in_words


def test_the_memory_of_this_machine_is_that_of_the_kernel() -> None:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    total = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    assert 0 < machine_memory() <= total
    assert device_memory(torch.device("cpu")) == machine_memory()


def test_the_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("104857600\n", encoding="ascii")
    monkeypatch.setattr(module, "_LIMITS", (limit, tmp_path / "none"))
    assert machine_memory() == 100 * 2**20
    limit.write_text("max\n", encoding="ascii")
    assert machine_memory() > 100 * 2**20


def test_sizes_in_words() -> None:
    found = [size_in_words(size) for size in (1, 2**20, 1.5 * 2**30, 24 * 2**30, 2.0**70)]
    assert found == ["1 MiB", "1 MiB", "1.5 GiB", "24 GiB", "1.1e+12 GiB"]
