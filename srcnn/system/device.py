"""Where a network runs and in which arithmetic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from srcnn.errors import ConfigError
from srcnn.system.gpu import gpu_count, gpu_index, has_bf16
from srcnn.system.torch_internals import cpu_multiplies_bf16

__all__ = [
    "arithmetic",
    "autocast",
    "bf16_is_fast",
    "indexed",
    "pick_device",
    "promise_determinism",
    "resolve_precision",
]


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: a GPU if there is one, else the CPU; otherwise the device of that name. A GPU has its index.

    ``auto`` and ``cuda`` mean the GPU that is current in this process, the first unless somebody chose another. Indices count
    the GPUs that the process may see (CUDA_VISIBLE_DEVICES); Ray shows a trial its own alone.

    Raises:
        ConfigError: the device does not exist here.
    """
    if name == "auto":
        return indexed(torch.device("cuda")) if gpu_count() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, but got {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, but got {name!r}")
    if device.type == "cuda":
        count = gpu_count()
        if not count:
            raise ConfigError(f"device: no GPU is available here, but got {name!r}")
        if device.index is not None and device.index >= count:
            raise ConfigError(f"device: N of cuda:N must be below {count}, the GPUs that are visible, but got {name!r}")
    return indexed(device)


def indexed(device: torch.device) -> torch.device:
    """The device with an index if it is a GPU: ``cuda`` is the one that is current in this process."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", gpu_index())
    return device


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively: AVX512-BF16 or AMX on a CPU, Ampere or later on a GPU."""
    if device.type == "cuda":
        return has_bf16(device)
    return cpu_multiplies_bf16()


def resolve_precision(precision: str, device: torch.device) -> str:
    """``auto`` -> bf16 where it is fast, else fp32; other names are kept."""
    if precision == "auto":
        return "bf16" if bf16_is_fast(device) else "fp32"
    return precision


def autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[object]:
    """bfloat16 in the layers that gain from it, or none of it, within the block; nothing on a device that has no such mode."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@contextmanager
def arithmetic(*, search: bool = False, deterministic: bool = False) -> Iterator[None]:
    """A GPU's arithmetic within the block; a CPU's is the same in every case.

    float32 means float32: by default cuDNN would multiply in TF32, whose ten bits of mantissa show in the second decimal of
    a PSNR.

    Args:
        search: let cuDNN time its algorithms for a new shape, which pays where one shape comes often. Which one wins differs
            from run to run, and some of them add in any order: two runs then differ in their last bits.
        deterministic: the same bits every time on the same GPU and versions; excludes ``search``. cuDNN takes algorithms
            that add in one order, and torch refuses operations that have none. cuBLAS keeps its part of the promise only if
            the environment said CUBLAS_WORKSPACE_CONFIG=:4096:8 before its first product: see `promise_determinism`. After
            torch's notes on reproducibility; not yet run on a GPU (``experiments/doctor.py --gpu`` does).
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic
    strict = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]

    def put(values: tuple[bool, bool, bool, bool]) -> None:
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic = values

    put((False, False, search and not deterministic, deterministic))
    if deterministic:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        put(before)
        if deterministic:  # else nothing was changed, and the call imports torch's compiler, which takes two seconds
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def promise_determinism() -> None:
    """Ask cuBLAS for one order of additions; it reads this at the first product of a process, so ask before.

    A value that the environment has already is kept.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
