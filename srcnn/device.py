"""Where a network runs and in which arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from srcnn.errors import ConfigError

__all__ = ["arithmetic", "bf16_is_fast", "pick_device", "resolve_precision"]


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: the first GPU if there is one, else the CPU; otherwise the device of that name.

    Raises:
        ConfigError: the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, but got {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device: must be auto, cpu, cuda or cuda:N, but got {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device: no GPU is available here, but got {name!r}")
    return device


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively: AVX512-BF16 or AMX on a CPU, Ampere or later on a GPU."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capabilities and _cpu_flag("_is_avx512_bf16_supported")


def _cpu_flag(name: str) -> bool:
    probe = getattr(torch.cpu, name, None)  # a private name: where torch drops it, fp32 is the safe answer
    return bool(probe is not None and probe())


def resolve_precision(precision: str, device: torch.device) -> str:
    """``auto`` -> bf16 where it is fast, else fp32; other names are kept."""
    if precision == "auto":
        return "bf16" if bf16_is_fast(device) else "fp32"
    return precision


@contextmanager
def arithmetic(*, search: bool = False, deterministic: bool = False) -> Iterator[None]:
    """A GPU's arithmetic within the block; a CPU's is the same in every case.

    float32 means float32: by default cuDNN would multiply in TF32, whose ten bits of mantissa show in the second decimal of
    a PSNR.

    Args:
        search: let cuDNN time its algorithms for a new shape, which pays where one shape comes often.
        deterministic: the same bits every time; excludes ``search``.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic

    def put(values: tuple[bool, bool, bool, bool]) -> None:
        cudnn.allow_tf32, matmul.allow_tf32, cudnn.benchmark, cudnn.deterministic = values

    put((False, False, search and not deterministic, deterministic))
    try:
        yield
    finally:
        put(before)
