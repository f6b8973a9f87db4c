"""The machine: what it is, a quiet core of it, and the data that is measured on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import locate
from srcnn.system.device import bf16_is_fast, pick_device
from srcnn.system.gpu import gpu_name
from srcnn.system.own_process import in_own_process
from srcnn.training import throughput

__all__ = ["child_environment", "clock", "environment", "images", "peak", "pinned", "quiet_core"]

ROOT = Path(__file__).parents[2]
_PACKAGES = ("torch", "numpy", "pillow", "scikit-image", "ray", "optuna", "mlflow")


def environment(device: str) -> dict[str, Any]:
    """Processor or GPU, versions, commit, and how busy the machine was at the start."""
    versions = {"python": sys.version.split()[0]}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": "cpu" if device == "cpu" else gpu_name(torch.device(device).index or 0),
        # Of a GPU in another process: this one waits while others measure, and would keep a part of its memory.
        "bf16": bf16_is_fast(torch.device(device))
        if device == "cpu"
        else in_own_process(bf16_is_fast, torch.device(device)),
        "versions": versions,
        "commit": _commit(),
        "sources": _sources(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _sources() -> str:
    """A digest of the library without its platform: two runs of quality are alike only where this is."""
    total = hashlib.sha256()
    library = ROOT / "srcnn"
    for file in sorted(library.rglob("*.py")):
        if "tuning" not in file.relative_to(library).parts:
            total.update(file.read_bytes())
    return total.hexdigest()[:16]


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "srcnn", "experiments")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def child_environment() -> dict[str, str]:
    """For processes of our own: they find the same modules, installed or not."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "experiments"), str(ROOT), *filter(None, sys.path)]),
    }


def quiet_core() -> int | None:
    """The core, of those this process may use, with the least to do just now; None where that is unknown."""

    def busy() -> dict[int, int]:
        rows = [line.split() for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()]
        cores = {int(row[0][3:]): row[1:] for row in rows if row and row[0][:3] == "cpu" and row[0] != "cpu"}
        return {core: sum(map(int, row[:3])) + sum(map(int, row[5:8])) for core, row in cores.items()}

    try:
        allowed, before = os.sched_getaffinity(0), busy()
        time.sleep(0.5)
        after = busy()
        return min(allowed & set(after), key=lambda core: (after[core] - before.get(core, 0), -core))
    except (OSError, AttributeError, ValueError):
        return None


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """This process on one core with one torch thread, while the block runs."""
    threads = torch.get_num_threads()
    allowed = None if core is None else os.sched_getaffinity(0)
    torch.set_num_threads(1)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if allowed is not None:
            os.sched_setaffinity(0, allowed)


def images(name: str, root: Path, sample: str) -> ImageSet:
    """A named set, or the bundled sample where the set is not on disk; the result's name says which."""
    return load(name if locate(name, root).is_dir() else sample, root)


def clock(device: str) -> float:
    """`srcnn.training.throughput.clock` of a device by its name."""
    return throughput.clock(torch.device(device))


def peak(device: str, precision: str) -> float:
    """`srcnn.training.throughput.matrix_peak` of a device by its name."""
    return throughput.matrix_peak(pick_device(device), precision)
