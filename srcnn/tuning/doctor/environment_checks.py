"""Checks of what surrounds the software: variables, threads, bfloat16 of the processor, data sets and disks."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from pathlib import Path

import torch

from srcnn.config.quantities import counted
from srcnn.data.datasets import verify
from srcnn.data.known_sets import SETS, data_root, locate
from srcnn.errors import ConfigError, DataError, SearchError, TrainingError
from srcnn.system.device import bf16_is_fast
from srcnn.system.folders import cache_folder
from srcnn.training.throughput import training_rate
from srcnn.tuning.doctor.examination import Seen
from srcnn.tuning.doctor.software_checks import sample

__all__ = ["bf16_on_cpu", "data_sets", "disk", "threads", "variables"]

#: Variables that this project reads; a test compares the list with the code.
_OURS = (
    "SRCNN_BENCH_NOTES",
    "SRCNN_CACHE",
    "SRCNN_DATA",
    "SRCNN_DEBUG",
    "SRCNN_EXAMPLES",
    "SRCNN_MIRROR",
    "SRCNN_STATE",
)
_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_SECONDS = 0.7  # training time for each number of threads, in seconds
_LEAST_FREE = 2**30  # bytes; a search of 50 trials with its checkpoints needs less


def variables() -> Seen:
    """Check the environment variables: no misspelt name, folders that exist, numbers that are numbers."""
    for name in sorted(os.environ):
        if name.startswith("SRCNN_") and name not in _OURS:
            near = difflib.get_close_matches(name, _OURS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{name}: must be one of {', '.join(_OURS)}, but is none of them{hint}")
    for name in _COUNTS:
        value = os.environ.get(name)
        if value is not None and not all(part.strip().isdigit() and int(part) for part in value.split(",")):
            raise ConfigError(f"{name}: must be a whole number of at least 1, but is {value!r}")
    folder = os.environ.get("SRCNN_DATA")
    if folder and not Path(folder).expanduser().is_dir():
        raise ConfigError(f"SRCNN_DATA: must be a folder, but there is none at {folder}")
    given = {name: os.environ[name] for name in (*_OURS, *_COUNTS) if name in os.environ}
    text = ", ".join(f"{name}={value}" for name, value in given.items()) or "none of this project is set"
    if "MLFLOW_TRACKING_URI" in os.environ:
        text += "; MLFLOW_TRACKING_URI is not read: the commands have --tracking-uri"
    return Seen(text, dict(given))


def _cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def threads() -> Seen:
    """Check that torch uses no more threads than there are cores, and measure training with one thread and with all."""
    cores, own = _cores(), torch.get_num_threads()
    if own > cores:
        raise ConfigError(
            f"OMP_NUM_THREADS: torch must use at most {counted(cores, 'thread')}, one for each usable core, but uses {own}"
        )
    rates: dict[int, float] = {}
    for count in sorted({1, own}):  # the process is the check's own, so the number need not be put back
        torch.set_num_threads(count)
        rates[count] = training_rate("5-1-3", (16, 8), sample(), torch.device("cpu"), _SECONDS)
    text = f"{counted(cores, 'core')}, {counted(own, 'thread')} of torch; training: " + ", ".join(
        f"{rate / 1e6:.2f} Mpixel/s with {count}" for count, rate in rates.items()
    )
    if rates[own] < rates[1]:
        text += "; more threads are slower here (busy cores): OMP_NUM_THREADS=1 is better"
    return Seen(text, {"cores": cores, "threads": own, "rates": {str(count): rate for count, rate in rates.items()}})


def bf16_on_cpu() -> Seen:
    """Check that a bfloat16 convolution equals the float32 one within eight bits of mantissa."""
    generator = torch.Generator().manual_seed(0)
    image, kernel = (torch.randn(shape, generator=generator) for shape in ((1, 16, 64, 64), (32, 16, 5, 5)))
    image, kernel = image.bfloat16(), kernel.bfloat16()
    exact = torch.nn.functional.conv2d(image.float(), kernel.float())
    error = float((torch.nn.functional.conv2d(image, kernel).float() - exact).norm() / exact.norm())
    if not error < 0.01:
        raise TrainingError(f"the relative error of a bfloat16 convolution is {error:.2g}, but must be below 0.01")
    fast = bf16_is_fast(torch.device("cpu"))
    where = (
        "in hardware: --precision auto uses it" if fast else "not in hardware: --precision auto uses float32 instead"
    )
    return Seen(f"{where}; the relative error of a convolution is {error:.1e}", {"hardware": fast, "error": error})


def data_sets() -> Seen:
    """Check the named sets that are on disk; those that are not there are only listed."""
    there, absent = [], []
    for name, known in SETS.items():
        if not known.bundled and not locate(name).is_dir():
            absent.append(name)
            continue
        problems = verify(name)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise DataError(problems[0] + more)
        there.append(name)
    text = f"whole: {', '.join(there)}"
    if absent:
        text += f"; not in {data_root()}: {', '.join(absent)} (python experiments/data.py fetch all)"
    return Seen(text, {"whole": there, "absent": absent})


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest folder above it that exists."""
    folder = folder.expanduser().resolve()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def disk(storage: str = "mlruns/ray") -> Seen:
    """Check that a GiB is free where searches, the cache and temporary files are, and that these folders can be written.

    Args:
        storage: folder of the searches.
    """
    free: dict[str, int] = {}
    for kind, folder in (
        ("searches", Path(storage)),
        ("cache", cache_folder()),
        ("temporary files", Path(tempfile.gettempdir())),
    ):
        place = _existing(folder)
        if not os.access(place, os.W_OK):
            raise SearchError(f"{kind}: {place} must be writable")
        free[kind] = shutil.disk_usage(place).free
        if free[kind] < _LEAST_FREE:
            raise SearchError(f"{kind}: 1 GiB must be free in {place}, but there are {free[kind] / 2**30:.2f} GiB")
    text = ", ".join(f"{size / 2**30:.0f} GiB for {kind}" for kind, size in free.items())
    return Seen(f"free: {text}", dict(free))
