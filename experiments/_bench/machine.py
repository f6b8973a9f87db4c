"""The machine: its description, an idle core, and the images for measurements."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.data.known_sets import locate
from srcnn.system.device import bf16_is_fast, pick_device
from srcnn.system.gpu import gpu_name
from srcnn.system.own_process import in_own_process, one_process
from srcnn.training import throughput
from srcnn.tuning.adapters.environment import temporarily

__all__ = ["child_environment", "clock", "environment", "images", "on_one_thread", "peak", "pinned", "quiet_core"]

ROOT = Path(__file__).parents[2]

P = ParamSpec("P")
T = TypeVar("T")

_PACKAGES = ("torch", "numpy", "pillow", "scikit-image", "ray", "optuna", "mlflow")


def environment(device: str) -> dict[str, Any]:
    """Return processor or GPU, versions, commit, and the load of the machine at the start."""
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
        # The GPU is queried in another process, because this one would keep a part of its memory during the measurements.
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
    """Return a digest of the library without the platform; quality runs are comparable only if it is equal."""
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
    """Return environment variables for child processes, so that they import the same modules."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "experiments"), str(ROOT), *filter(None, sys.path)]),
    }


def quiet_core() -> int | None:
    """Return the least busy of the cores this process may use; None if unknown."""

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
    """Run this process on one core with one torch thread within the block."""
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


def on_one_thread(core: int | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a module-level function in a new process on one core, with one thread of NumPy's libraries, and return its result."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with temporarily(one), one_process(_stay_on, core) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _stay_on(core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})


def images(name: str, root: Path, sample: str) -> ImageSet:
    """Load a named set, or the bundled sample if the set is not on disk; the name of the result tells which."""
    return load(name if locate(name, root).is_dir() else sample, root)


def clock(device: str) -> float:
    """Call `srcnn.training.throughput.clock` for a device name."""
    return throughput.clock(torch.device(device))


def peak(device: str, precision: str) -> float:
    """Call `srcnn.training.throughput.matrix_peak` for a device name."""
    return throughput.matrix_peak(pick_device(device), precision)
