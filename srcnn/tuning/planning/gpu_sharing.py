"""How many trials share a GPU: ``--gpus-per-trial auto``, from the memory that the hungriest configuration was seen to take.

A process that shares a GPU is capped at its share (`srcnn.tuning.worker.run_trial`), so a guess that was too small costs that
trial another attempt with twice the room, and never its neighbours.
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

_MARGIN = 1.25  # of what was seen: other configurations, other shapes, fragments
_MOST = 16  # trials on a GPU; beyond that they wait for each other's kernels


def gpu_share(peak: float, total: float, context: float = CONTEXT) -> float:
    """The part of a GPU that a trial gets: one over a whole number, and 1 if no two fit.

    Args:
        peak: bytes that torch's allocator reserves for it at most: its tensors, what lies free between them, a recorded
            step's memory and cuBLAS's workspaces.
        total: bytes that the GPU has.
        context: bytes that the process takes beside those.
    """
    fit_in = total / (_MARGIN * peak + context)
    return 1.0 / max(1, min(_MOST, math.floor(fit_in)))


def measured_share(plan: Plan) -> float:
    """The share for a search on the cluster that is up; 0 where it has no GPU, 1 where none of them can be measured."""
    if ray.cluster_resources().get("GPU", 0) < 1:
        return 0.0
    config = max(drawn_configs(plan.space), key=_activations)
    data = _prepared(plan, config)
    # max_calls: the worker ends with the task, and with it what it keeps of the GPU.
    measured = ray.get(ray.remote(num_gpus=1, max_calls=1)(peak_memory).remote(config, *data))
    return 1.0 if measured is None else gpu_share(*measured)


def _prepared(plan: Plan, config: TrainConfig) -> tuple[TrainingData, Sequence[Degraded]]:
    images = [degrade(image, config.scale, name=name) for name, image in plan.validation.images]
    largest = max(images, key=lambda image: image.target.size)
    return prepare_cached(plan.training, config.scale, color=config.color), (largest,)


def _activations(config: TrainConfig) -> float:
    """What training keeps of a step for the way back: every layer's output, roughly."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    return config.batch_size * (config.side / unit) ** 2 * (config.channels + sum(config.filters))


def peak_memory(
    config: TrainConfig, data: TrainingData, validation: Sequence[Degraded]
) -> tuple[float, float, float] | None:
    """Bytes that a few steps and a look at a validation image reserve on this process's GPU, bytes that it has, and bytes that
    the process takes beside what is reserved.

    None: there is no GPU after all, as with those that a test invents.
    """
    device = pick_device()
    if device.type == "cpu":
        return None
    before = used_memory()
    reset_peak(device)
    pixels = config.batch_size * config.output_size**2
    short = config.replace(epoch_pixels=4.0 * pixels, pixels=8.0 * pixels)
    with suppress(TrainingError):  # what a rate does to a network does not matter here
        for _ in fit(short, data, validation=validation, device=device):
            pass
    peak = peak_reserved(device)
    release_memory(device)
    free, total = memory_info(device)
    return peak, total, context_size(before, total - free - reserved(device))


def context_size(before: float | None, after: float) -> float:
    """Bytes of a process's context, from what is used of the GPU before the process came and what is used without its tensors.

    At least `CONTEXT`, which a trial's cap is reckoned with; that alone where ``before`` is unknown.
    """
    return CONTEXT if before is None else max(CONTEXT, after - before)
