"""Operations of a step, counted by torch's own counter, and rates that are positive and finite."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from srcnn.config.training import TrainConfig
from srcnn.training.patches import prepare
from srcnn.training.throughput import clock, endless, matrix_peak, step_flops, training_rate

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("kernels", "filters", "padding", "upsampling"),
    [
        *(
            ("9-1-5", "64-32", "replicate", "bicubic"),
            ("3-3", "4", "zeros", "bicubic"),
            ("5-3-3", "8-6", "zeros", "bicubic"),
        ),
        *(("3-3-3", "8-6", "zeros", "pixel_shuffle"), ("5-1", "7", "replicate", "pixel_shuffle")),
    ],
)
def test_the_operations_are_those_that_torch_counts(kernels: str, filters: str, padding: str, upsampling: str) -> None:
    config = TrainConfig(
        kernels=kernels, filters=filters, padding=padding, upsampling=upsampling, patch_size=24, batch_size=2
    )
    unit = config.scale if upsampling == "pixel_shuffle" else 1
    x = torch.rand(2, 1, config.side // unit, config.side // unit)
    widths, weights = (1, *config.filters, unit**2), []
    for i, kernel in enumerate(config.kernels):
        weights.append(torch.rand(widths[i + 1], widths[i], kernel, kernel, requires_grad=True))
    with FlopCounterMode(display=False) as counter:
        for weight in weights:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2 if padding == "zeros" else 0)
        x.sum().backward()  # type: ignore[no-untyped-call]
    assert step_flops(config) == counter.get_total_flops()


def test_an_endless_run_has_warmed_up_after_a_million_pixels() -> None:
    config = endless("9-1-5", (64, 32), 3, 1e5)
    assert config.pixels is not None and config.warmup * config.pixels == pytest.approx(1e6)
    assert (config.epoch_pixels, config.scale) == (1e5, 3)


def test_rates_are_measured() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    rate = training_rate("3-1-3", (4, 4), prepare([("noise", image)], 3), CPU, 0.05)
    assert math.isfinite(rate) and rate > 1e4
    assert matrix_peak(CPU, "fp32") > 1e8


def test_the_clock_of_a_core_stands_still_while_it_sleeps() -> None:
    started = clock(CPU)
    time.sleep(0.05)
    assert clock(CPU) - started < 0.04
