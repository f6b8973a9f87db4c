"""Number of trials per GPU: ``--gpus-per-trial auto``, from the measured memory of the largest configuration.

A process that shares a GPU may use only its share of the memory (`srcnn.tuning.worker.run_trial`). If the estimate is
too small, the trial is repeated with twice the memory, and other trials are not affected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import ray

from srcnn.config.training import TrainConfig
from srcnn.errors import TrainingError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.system.device import pick_device
from srcnn.system.gpu import memory_info, peak_reserved, release_memory, reserved, reset_peak, used_memory
from srcnn.training.fit import fit
from srcnn.training.patch_cache import prepare_cached
from srcnn.training.patches import TrainingData
from srcnn.tuning.planning.plan import Plan
from srcnn.tuning.planning.speed import drawn_configs
from srcnn.tuning.worker.trial_device import CONTEXT

__all__ = ["context_size", "gpu_share", "measured_share", "peak_memory"]

_MARGIN = 1.25  # safety factor on the measured memory: other configurations, other shapes, fragmentation
_MOST = 16  # maximum trials per GPU; more would wait for each other's kernels


def gpu_share(peak: float, total: float, context: float = CONTEXT) -> float:
    """Return the fraction of a GPU per trial: one divided by an integer, and 1 if two trials do not fit.

    Args:
        peak: maximum memory reserved by torch's allocator, in bytes: tensors, fragmentation, recorded steps and cuBLAS
            workspaces.
        total: memory of the GPU, in bytes.
        context: additional memory of the process, in bytes.
    """
    fit_in = total / (_MARGIN * peak + context)
    return 1.0 / max(1, min(_MOST, math.floor(fit_in)))


def measured_share(plan: Plan) -> float:
    """Return the fraction of a GPU per trial on the running cluster; 0 if it has no GPU, 1 if it cannot be measured."""
    if ray.cluster_resources().get("GPU", 0) < 1:
        return 0.0
    config = max(drawn_configs(plan.space), key=_activations)
    data = _prepared(plan, config)
    # max_calls: the worker ends after the task, which releases its GPU memory.
    measured = ray.get(ray.remote(num_gpus=1, max_calls=1)(peak_memory).remote(config, *data))
    return 1.0 if measured is None else gpu_share(*measured)


def _prepared(plan: Plan, config: TrainConfig) -> tuple[TrainingData, Sequence[Degraded]]:
    images = [degrade(image, config.scale, name=name) for name, image in plan.validation.images]
    largest = max(images, key=lambda image: image.target.size)
    return prepare_cached(plan.training, config.scale, color=config.color, copies=config.reduced_copies), (largest,)


def _activations(config: TrainConfig) -> float:
    """Return the approximate number of activations that a training step keeps for the backward pass."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    return config.batch_size * (config.side / unit) ** 2 * (config.channels + sum(config.filters))


def peak_memory(
    config: TrainConfig, data: TrainingData, validation: Sequence[Degraded]
) -> tuple[float, float, float] | None:
    """Measure the GPU memory of a training configuration, in a few steps and an evaluation.

    Returns: Maximum reserved memory, total memory of the GPU, and memory of the process in addition to the reserved
        one, in bytes. None if there is no GPU, as with the simulated GPUs of tests.
    """
    device = pick_device()
    if device.type == "cpu":
        return None
    before = used_memory()
    reset_peak(device)
    pixels = config.batch_size * config.output_size**2
    short = config.replace(epoch_pixels=4.0 * pixels, pixels=8.0 * pixels, start="random", start_digest="")
    with suppress(TrainingError):  # divergence does not matter here
        for _ in fit(short, data, validation=validation, device=device):
            pass
    peak = peak_reserved(device)
    release_memory(device)
    free, total = memory_info(device)
    return peak, total, context_size(before, total - free - reserved(device))


def context_size(before: float | None, after: float) -> float:
    """Return the memory of the CUDA context of a process, in bytes.

    It is the used GPU memory without tensors, minus the used memory before the process started. It is at least
    `CONTEXT`, which the memory cap of a trial assumes; exactly `CONTEXT` if ``before`` is unknown.
    """
    return CONTEXT if before is None else max(CONTEXT, after - before)
