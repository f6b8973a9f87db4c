"""Training speed of a device and its upper bound: target pixels per second, operations, and the speed of a matrix product.

The fraction of the peak is the number of operations in the convolutions of a step (forward, weight gradients, and input gradients
except for the first layer) at all computed positions, divided by the time and by the speed of a large matrix product in the
same precision.
"""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import torch

from srcnn.config.training import TrainConfig
from srcnn.system.device import arithmetic
from srcnn.system.gpu import wait
from srcnn.training.fit import fit
from srcnn.training.patches import TrainingData

__all__ = ["clock", "endless", "matrix_peak", "step_flops", "training_rate"]

_FOREVER = 1e12  # target pixels: never reached
_WARMUP = 1e6  # target pixels


def clock(device: torch.device) -> float:
    """Return a time in seconds for measuring differences: CPU time of this process, or wall time after synchronizing a GPU.

    CPU time excludes the time of other processes on a busy core.
    """
    wait(device)
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def matrix_peak(device: torch.device, precision: str) -> float:
    """Return the speed of a large matrix product, in floating-point operations per second.

    It is the median of five measurements with the current number of threads.
    """
    side = 2048 if device.type == "cpu" else 8192
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    seconds = []
    with arithmetic():
        out = torch.mm(a, b)
        for _ in range(5):
            started = clock(device)
            torch.mm(a, b, out=out)
            seconds.append(clock(device) - started)
    return 2 * side**3 / float(np.median(seconds))


def step_flops(config: TrainConfig) -> int:
    """Return the floating-point operations of the convolutions in one training step.

    A multiplication and an addition are two operations. With pixel_shuffle the positions are those of the small image, and the last
    layer has scale^2 outputs for each plane.
    """
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    side, total = config.side // unit, 0
    widths = (config.channels, *config.filters, config.channels * unit**2)
    for i, kernel in enumerate(config.kernels):
        side -= 0 if config.padding == "zeros" else kernel - 1
        forward = 2 * side**2 * kernel**2 * widths[i] * widths[i + 1]
        total += forward * (2 if i == 0 else 3)
    return total * config.batch_size


def endless(kernels: str, filters: tuple[int, ...], scale: int, epoch_pixels: float) -> TrainConfig:
    """Return the default configuration with a budget that is never reached."""
    return TrainConfig(
        kernels=kernels,
        filters=filters,
        scale=scale,
        pixels=_FOREVER,
        epoch_pixels=epoch_pixels,
        warmup=_WARMUP / _FOREVER,
    )


def training_rate(
    kernels: str, filters: tuple[int, ...], data: TrainingData, device: torch.device, seconds: float
) -> float:
    """Return the speed of `srcnn.training.fit.fit` after warm-up, in target pixels per second.

    The measurement takes about ``seconds`` of wall time.
    """

    def rate(epoch_pixels: float) -> float:
        results = islice(fit(endless(kernels, filters, data.scale, epoch_pixels), data, device=device), 3)
        first, _, last = [(result.pixels, result.seconds) for result in results]
        return (last[0] - first[0]) / (last[1] - first[1])

    return rate(max(2e5, rate(2e5) * seconds / 3))
