"""The evaluation protocol of the papers, image by image: degrade, reconstruct, shave, measure.

``degrade`` makes the input of a network. ``reconstruct`` applies a network to one image in float32. ``evaluate`` returns
PSNR and SSIM of a set, whose value is the mean over its images. ``network=None`` means bicubic upscaling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from srcnn.errors import DataError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.imaging.metrics import psnr, quantize, shave, ssim
from srcnn.model.network import SRCNN
from srcnn.system.device import arithmetic

__all__ = ["Evaluation", "Score", "evaluate", "mean_score", "reconstruct", "score"]


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM of one image, or their means over a set."""

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Evaluation:
    """Scores of the images of a set, in order, and their mean."""

    images: tuple[Score, ...]
    mean: Score


def _tensor(image: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))[None]).to(device)


@torch.inference_mode()
def reconstruct(network: SRCNN | None, image: Degraded) -> NDArray[np.float32]:
    """Return the upscaled image, float32 (height, width, channels), not rounded or clipped. With None it is the bicubic image."""
    if network is None:
        return image.bicubic
    device = network.convolutions[0].weight.device
    was_training = network.training
    network.eval()
    try:
        with arithmetic():
            return _run(network, image, device)
    finally:
        network.train(was_training)


def _run(network: SRCNN, image: Degraded, device: torch.device) -> NDArray[np.float32]:
    if network.config.upsampling == "bicubic":
        out = network(_tensor(image.bicubic, device))
    else:
        base = _tensor(image.bicubic, device) if network.config.residual else None
        out = network(_tensor(image.small, device), base)
    result: NDArray[np.float32] = out[0].float().cpu().numpy().transpose(1, 2, 0)
    return result


def score(network: SRCNN | None, image: Degraded, *, with_ssim: bool = True) -> Score:
    """Return the PSNR over all planes together and the mean SSIM of one image; SSIM is NaN unless ``with_ssim``."""
    result = quantize(shave(reconstruct(network, image), image.scale))
    truth = quantize(shave(image.target, image.scale))
    similarity = math.nan
    if with_ssim:
        similarity = float(np.mean([ssim(truth[:, :, c], result[:, :, c]) for c in range(truth.shape[2])]))
    return Score(image.name, psnr(truth, result), similarity)


def mean_score(scores: Iterable[Score]) -> Score:
    """Return the mean over the images, as the papers print it."""
    scores = list(scores)
    return Score(
        "mean",
        float(np.mean([s.psnr for s in scores])),
        float(np.mean([s.ssim for s in scores])) if scores else math.nan,
    )


def evaluate(
    network: SRCNN | None,
    images: Iterable[tuple[str, NDArray[np.uint8]]],
    scale: int,
    *,
    color: str = "y",
    with_ssim: bool = True,
) -> Evaluation:
    """Measure a network, or bicubic (None) on the planes of ``color``, on (name, uint8 image) pairs.

    Raises:
        DataError: there is no image, or one is too small for the protocol at this scale.
    """
    color = color if network is None else network.config.color

    def prepared() -> Iterator[Degraded]:
        for name, image in images:
            yield degrade(image, scale, color=color, name=name)

    scores = tuple(score(network, image, with_ssim=with_ssim) for image in prepared())
    if not scores:
        raise DataError("no image to evaluate")
    return Evaluation(scores, mean_score(scores))
