"""How much memory a training takes, and the refusal of one that this machine cannot hold, before it starts.

A step of a chain of convolutions keeps the planes of every layer for the backward pass. Measured on a CPU with one thread
(batches of 32 to 128, sub-images of 120 pixels, nine networks): 9 to 28 bytes for each plane and position in float32, 6 in
bfloat16, and more with wide kernels. The figures here are the lowest ones: what they refuse cannot be held, and what they allow
may still be too much. On a GPU only what must be kept is counted, since its libraries choose their own working memory.

To this come the weights, their gradients and moments, the average (``ema``) and the blocks (``expansion``), and the places of the
sub-images of a whole epoch, which are drawn at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.model.network import count_parameters
from srcnn.system.device import resolve_precision
from srcnn.system.machine_memory import device_memory, machine_memory, size_in_words

__all__ = ["check_epoch", "check_images", "check_step", "epoch_bytes", "images_bytes", "step_bytes"]

_ACTIVATIONS = {("cpu", "fp32"): 9.0, ("cpu", "bf16"): 6.0, ("cuda", "fp32"): 4.0, ("cuda", "bf16"): 2.0}
_PLANES = 24.0  # bytes for each plane and pixel of the large sub-images: places, target, bicubic
_MOMENTS = {"muon": 1, "adam": 2, "sgd": 1}
_PLACE = 120.0  # bytes for each sub-image of an epoch: image, row, column, symmetry, and two starts with their strides
_STEP = 32.0  # bytes for each step of an epoch: its rate
_PREPARED = 25.0  # bytes for each plane and pixel while training images are prepared; 31 and 26 were measured


def step_bytes(config: TrainConfig, device: torch.device | None = None) -> float:
    """Return the memory of a training step on a device (None: a CPU), in bytes, with weights, moments and averages.

    With ``late_patch_size`` it is that of the larger step.
    """
    return _weights_bytes(config) + max(_planes_bytes(part, device) for part in (config, config.late) if part)


def _planes_bytes(config: TrainConfig, device: torch.device | None) -> float:
    where = torch.device("cpu") if device is None else device
    each = _ACTIVATIONS[where.type, resolve_precision(config.precision, where)]
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    layers = config.channels + sum(config.filters) + config.outputs
    kept = each * layers * (config.side // unit) ** 2 + _PLANES * config.channels * config.side**2
    return config.batch_size * kept


def _weights_bytes(config: TrainConfig) -> float:
    """Weights, the best ones, gradients, moments; with ``expansion`` also the blocks, which float64 initializes."""
    trained = 2 + _MOMENTS[config.optimizer]
    copies = 1 + trained + (1 if config.ema else 0) + config.expansion * (trained + 4)
    return 4.0 * count_parameters(config) * copies


def epoch_bytes(sub_images: float, steps: float) -> float:
    """Return the memory of the places of the sub-images of an epoch, in bytes."""
    return _PLACE * sub_images + _STEP * steps


def images_bytes(pixels: float, channels: int) -> float:
    """Return the memory that is needed while training images of so many pixels are prepared, in bytes."""
    return _PREPARED * channels * pixels


def check_step(config: TrainConfig, device: torch.device) -> None:
    """Check that a device can hold a step of a training.

    Raises:
        ConfigError: it cannot. The message names the field, both sizes, and the greatest value that fits.
    """
    if device.type not in ("cpu", "cuda"):
        return
    has = device_memory(device)
    needs = step_bytes(config, device)
    if needs <= has:
        return
    where = "this machine" if device.type == "cpu" else "this GPU"

    def fits(field: str) -> Callable[[int], bool]:
        return lambda value: step_bytes(config.replace(**{field: value, **_smaller(field)}), device) <= has

    for field in ("batch_size", "late_patch_size", "patch_size"):
        most = _greatest(fits(field), _tried(config, field))
        if most is not None:
            value = getattr(config, field)
            raise ConfigError(
                f"{field}: a step of this network would take {size_in_words(needs)}, {where} has {size_in_words(has)}, "
                f"so that it may be at most {most}{_with(config, field)}, but got {value}"
            )
    raise ConfigError(
        f"filters: a step of {config.name} would take {size_in_words(needs)} and {where} has {size_in_words(has)}, too little "
        f"for every batch_size and patch_size"
    )


def _with(config: TrainConfig, field: str) -> str:
    return " with a batch_size of 1" if field != "batch_size" and config.batch_size > 1 else ""


def _smaller(field: str) -> dict[str, object]:
    """Fields that go with a smaller value of one: the batch comes first, so the sides are tried with a batch of 1."""
    if field == "batch_size":
        return {}
    return {"batch_size": 1} if field == "late_patch_size" else {"batch_size": 1, "late_patch_size": None}


def _tried(config: TrainConfig, field: str) -> Sequence[int]:
    """Return the values up to the given one, in rising order; of sides those that the scale divides and the network allows."""
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    least = config.border * unit // config.scale + 1 if config.padding == "replicate" else 1
    if field == "batch_size":
        return range(1, config.batch_size + 1)
    if field == "late_patch_size":
        return range(config.patch_size, (config.late_patch_size or 0) + 1, config.scale)
    return range(least * config.scale, config.patch_size + 1, config.scale)


def _greatest(fits: Callable[[int], bool], values: Sequence[int]) -> int | None:
    """Return the greatest value that fits, if every smaller one fits too; None: none does."""
    low, high = 0, len(values)  # values[:low] fit, values[high:] do not
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(values[middle]) else (low, middle)
    return values[low - 1] if low else None


def check_epoch(config: TrainConfig, steps: int) -> None:
    """Check that this machine can hold the places of the sub-images of an epoch of ``steps`` steps.

    Raises:
        ConfigError: it cannot.
    """
    needs, has = epoch_bytes(float(steps) * config.batch_size, steps), machine_memory()
    if needs > has:
        raise ConfigError(
            f"epoch_pixels: the places of the {float(steps) * config.batch_size:.3g} sub-images of an epoch would take "
            f"{size_in_words(needs)}, this machine has {size_in_words(has)}; give a shorter epoch"
        )


def check_images(pixels: int, channels: int, count: int) -> None:
    """Check that this machine can hold training images while they are prepared.

    Raises:
        ConfigError: it cannot.
    """
    needs, has = images_bytes(pixels, channels), machine_memory()
    if needs > has:
        raise ConfigError(
            f"train: to prepare {count} images of {pixels / 1e6:.0f} megapixels together would take {size_in_words(needs)}, "
            f"this machine has {size_in_words(has)}; give fewer or smaller images"
        )
