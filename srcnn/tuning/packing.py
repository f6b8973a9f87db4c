"""How many trials share a GPU: ``--gpus-per-trial auto``, from the memory that the hungriest configuration was seen to take.

A process that shares a GPU is capped at its share (`srcnn.tuning.trainable`), so a guess that was too small costs that trial
another attempt with twice the room, and never its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import ray
import torch

from srcnn.cache import prepare_cached
from srcnn.config import TrainConfig
from srcnn.errors import TrainingError
from srcnn.evaluate import Degraded, degrade
from srcnn.patches import TrainingData
from srcnn.train import fit
from srcnn.tuning.plan import Plan
from srcnn.tuning.speed import drawn_configs
from srcnn.tuning.trainable import CONTEXT

__all__ = ["gpu_share", "measured_share", "peak_memory"]

_MARGIN = 1.25  # of what was seen: other configurations, other shapes, fragments
_MOST = 16  # trials on a GPU; beyond that they wait for each other's kernels


def gpu_share(peak: float, total: float) -> float:
    """The part of a GPU that a trial gets: one over a whole number, and 1 if no two fit.

    Args:
        peak: bytes that its tensors take at most.
        total: bytes that the GPU has.
    """
    fit_in = total / (_MARGIN * peak + CONTEXT)
    return 1.0 / max(1, min(_MOST, math.floor(fit_in)))


def measured_share(plan: Plan) -> float:
    """The share for a search on the cluster that is up; 0 where it has no GPU, 1 where none of them can be measured."""
    if ray.cluster_resources().get("GPU", 0) < 1:
        return 0.0
    config = max(drawn_configs(plan.space), key=_activations)
    data = _prepared(plan, config)
    measured = ray.get(ray.remote(num_gpus=1)(peak_memory).remote(config, *data))
    return 1.0 if measured is None else gpu_share(*measured)


def _prepared(plan: Plan, config: TrainConfig) -> tuple[TrainingData, Sequence[Degraded]]:
    images = [degrade(image, config.scale, name=name) for name, image in plan.validation.images]
    largest = max(images, key=lambda image: image.target.size)
    return prepare_cached(plan.training, config.scale, color=config.color), (largest,)


def _activations(config: TrainConfig) -> float:
    """What training keeps of a step for the way back: every layer's output, roughly."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    return config.batch_size * (config.side / unit) ** 2 * (config.channels + sum(config.filters))


def peak_memory(config: TrainConfig, data: TrainingData, validation: Sequence[Degraded]) -> tuple[int, int] | None:
    """Bytes that a few steps and a look at a validation image reserve on this process's GPU, and bytes that it has.

    None: there is no GPU after all, as with those that a test invents.
    """
    if not torch.cuda.is_available():
        return None
    device = torch.device("cuda")
    torch.cuda.reset_peak_memory_stats(device)
    pixels = config.batch_size * config.output_size**2
    short = config.replace(epoch_pixels=4.0 * pixels, pixels=8.0 * pixels)
    with suppress(TrainingError):  # what a rate does to a network does not matter here
        for _ in fit(short, data, validation=validation, device=device):
            pass
    return torch.cuda.max_memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
