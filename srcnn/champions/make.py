"""Weights and card of a network for shipping: the network is measured on the test sets, after everything is decided."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from srcnn.champions.card import Card, Origin, SetScore, Speed
from srcnn.champions.shipped import LARGEST_SIZE, SIZES, card_file, weights_file
from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError, ConfigError
from srcnn.evaluation.degradation import degrade
from srcnn.evaluation.drawn_patterns import leads, worst
from srcnn.evaluation.pattern_limit import MOST_BEHIND, is_too_far_behind
from srcnn.evaluation.protocol import evaluate, reconstruct
from srcnn.model.network import SRCNN, count_macs, count_parameters
from srcnn.model.weights_file import save_network
from srcnn.system.atomic_file import atomic_write

__all__ = ["LARGEST", "Candidate", "make_champion", "measure_speed"]

LARGEST = 300_000  #: maximum size of the weights in bytes, so that the package stays small
_LICENCE = "Apache-2.0"
_SIDE, _REPEATS = 480, 5  # of the timed image: divisible by 2, 3 and 4


@dataclass(frozen=True)
class Candidate:
    """A network to ship, and what is known about it."""

    network: SRCNN
    config: TrainConfig
    pixels: float | None  #: target pixels of its training; None: not known
    origin: Origin


def make_champion(
    candidate: Candidate,
    tests: Sequence[ImageSet],
    folder: Path,
    machine: str,
    size: str = LARGEST_SIZE,
    *,
    sound: bool = True,
) -> Card:
    """Measure a network, and write its weights and its card.

    The card is written last, and a network is not loaded without its card: an interruption leaves the old pair or an error.

    Args:
        candidate: the network.
        tests: the test sets.
        folder: folder for ``xSCALE.safetensors`` and ``xSCALE.json``, with ``-SIZE`` before the dot for the smaller sizes.
        machine: name of the processor, for the speed.
        size: one of `srcnn.champions.shipped.SIZES`.
        sound: refuse a network that fails on a drawn pattern (`srcnn.evaluation.drawn_patterns`).

    Raises:
        ConfigError: the network has more weights and biases than one of the smaller sizes allows, or it fails on a drawn pattern.
        CheckpointError: the weights are too large, or a file cannot be written.
        DataError: an image is too small.
    """
    network, config = candidate.network, candidate.config
    scale, file = config.scale, weights_file(config.scale, folder, size)
    # Before the test sets are read. The largest size is bounded by its file alone: a network of one's own may have more weights.
    if size != LARGEST_SIZE and count_parameters(config) > SIZES[size]:
        raise ConfigError(
            f"size: {size} has at most {SIZES[size]} weights and biases, but {config.name} has {count_parameters(config)}"
        )
    drawn = {name: round(value, 3) for name, value in leads(network).items()}
    pattern, lead = worst(drawn)
    if sound and is_too_far_behind(lead):  # also before the test sets are read
        raise ConfigError(
            f"x{scale} {config.name}: may be at most {MOST_BEHIND:g} dB behind bicubic on a drawn pattern, but is "
            f"{-lead:.2f} dB behind on {pattern}; --allow-artefacts makes the files nevertheless"
        )
    scores = []
    for images in tests:
        ours, plain = (evaluate(one, images.images, scale).mean for one in (network, None))
        figures = [round(value, 6) for value in (ours.psnr, ours.ssim, plain.psnr, plain.ssim)]
        fields = dict(zip(("psnr", "ssim", "bicubic_psnr", "bicubic_ssim"), figures, strict=True))
        scores.append(SetScore(name=images.name, images=len(images), digest=images.digest, **fields))
    speed = measure_speed(network, machine)
    with atomic_write(file) as temporary:
        save_network(temporary, network.state_dict(), config, {"training": candidate.origin.training.name})
        content = temporary.read_bytes()
        if len(content) > LARGEST:
            raise CheckpointError(
                f"{file}: not written, because it may have {LARGEST} bytes, but would have {len(content)}"
            )
    card = Card(
        scale=scale,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        configuration=config,
        training_pixels=candidate.pixels,
        parameters=count_parameters(config),
        macs=count_macs(config),
        origin=candidate.origin,
        protocol="srcnn",
        scores=tuple(scores),
        patterns=drawn,
        speed=speed,
        licence=_LICENCE,
    )
    with atomic_write(card_file(scale, folder, size)) as temporary:
        temporary.write_text(json.dumps(card.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    return card


def measure_speed(network: SRCNN, machine: str) -> Speed:
    """Time the forward pass of the protocol in float32 on the CPU, the median of some repetitions."""
    image = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE), dtype=np.uint8)
    degraded = degrade(image, network.config.scale, color=network.config.color)
    seconds = []
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        reconstruct(network, degraded)
        seconds.append(time.perf_counter() - start)
    return Speed(
        megapixels_per_second=round(_SIDE**2 / 1e6 / median(seconds[1:]), 2),  # the first one warms up
        side=_SIDE,
        threads=torch.get_num_threads(),
        machine=machine,
    )
