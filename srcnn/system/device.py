"""Selection of the device and of the arithmetic on it."""

from __future__ import annotations

import os
import re
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

_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,4})?")


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of a name. The result has an index if it is a GPU.

    ``auto`` is a GPU if there is one, else the CPU. ``auto`` and ``cuda`` mean the current GPU of this process, which is the
    first one unless another was selected. Indices count the visible GPUs (CUDA_VISIBLE_DEVICES); in a Ray trial only the
    trial's own GPU is visible.

    Raises:
        ConfigError: the device does not exist on this machine.
    """
    if name == "auto":
        return indexed(torch.device("cuda")) if gpu_count() else torch.device("cpu")
    # torch takes other spellings too, such as cpu:5, and other devices.
    if not isinstance(name, str) or _DEVICE.fullmatch(name) is None:
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, but got {name!r}")
    if name == "cpu":
        return torch.device("cpu")
    count, index = gpu_count(), name.removeprefix("cuda").removeprefix(":")
    if not count:
        raise ConfigError(f"device: no GPU is available on this machine, but got {name!r}")
    if index and int(index) >= count:
        raise ConfigError(f"device: N in cuda:N must be below {count}, the number of visible GPUs, but got {name!r}")
    return indexed(torch.device("cuda", int(index)) if index else torch.device("cuda"))


def indexed(device: torch.device) -> torch.device:
    """Return the device with an index if it is a GPU. ``cuda`` becomes the current GPU of this process."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", gpu_index())
    return device


def bf16_is_fast(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware: AVX512-BF16 or AMX on a CPU, Ampere or later on a GPU."""
    if device.type == "cuda":
        return has_bf16(device)
    return cpu_multiplies_bf16()


def resolve_precision(precision: str, device: torch.device) -> str:
    """Replace ``auto`` by ``bf16`` if the device has fast bfloat16, else by ``fp32``. Other names are returned unchanged."""
    if precision == "auto":
        return "bf16" if bf16_is_fast(device) else "fp32"
    return precision


def autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[object]:
    """Return a context manager that enables or disables bfloat16 autocast. It does nothing on a device without autocast."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


@contextmanager
def arithmetic(*, search: bool = False, deterministic: bool = False) -> Iterator[None]:
    """Set the arithmetic of a GPU within the block. A CPU always uses the same arithmetic.

    float32 products use full float32: by default cuDNN would use TF32, whose mantissa of ten bits changes the second decimal
    of a PSNR.

    Args:
        search: let cuDNN measure its algorithms for each new shape, which is worth it if a shape repeats often. The choice
            may differ between runs, and some algorithms add in no fixed order, so that two runs differ in their last bits.
        deterministic: bit-identical results on the same GPU and versions; disables ``search``. cuDNN uses algorithms with a
            fixed order of additions, and torch rejects operations that have none. cuBLAS is deterministic only if the
            environment contained CUBLAS_WORKSPACE_CONFIG=:4096:8 before its first product: see `promise_determinism`. Follows
            torch's notes on reproducibility; not yet run on a GPU (``experiments/doctor.py --gpu`` does so).
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
        if (
            deterministic
        ):  # otherwise nothing was changed; the call would import torch's compiler, which takes two seconds
            torch.use_deterministic_algorithms(strict[0], warn_only=strict[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def promise_determinism() -> None:
    """Request deterministic cuBLAS by the variable CUBLAS_WORKSPACE_CONFIG.

    cuBLAS reads the variable at the first product of the process, so call this earlier. An existing value is kept.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
