"""The protocol of the papers, image by image: degrade, reconstruct, shave, measure.

``degrade`` makes what a network sees; ``reconstruct`` runs one image through a network, in float32; ``evaluate`` gives
PSNR and SSIM of a whole set, where the figure of a set is the mean of its images' figures. ``network=None`` is plain
bicubic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from srcnn.color import luma, rgb_to_ycbcr
from srcnn.device import arithmetic
from srcnn.errors import DataError
from srcnn.images import modcrop
from srcnn.metrics import psnr, quantize, shave, ssim
from srcnn.model import SRCNN
from srcnn.resize import imresize

__all__ = ["Degraded", "Evaluation", "Score", "degrade", "evaluate", "mean_score", "planes", "reconstruct", "score"]


@dataclass(frozen=True)
class Degraded:
    """One image ready for a network: float32 planes (height, width, channels), values about [0, 1]."""

    name: str
    small: NDArray[np.float32]
    bicubic: NDArray[np.float32]
    target: NDArray[np.float32]  #: the 8-bit original divided by 255; its size divides by the scale
    scale: int


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM of one image (or their means over a set)."""

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Evaluation:
    """The scores of every image of a set, in order, and their mean."""

    images: tuple[Score, ...]
    mean: Score


def planes(image: NDArray[np.uint8], color: str = "y") -> NDArray[np.uint8]:
    """A uint8 image as the planes that a network works on: (height, width, 1) for y, (height, width, 3) else.

    A grey image counts as R = G = B.
    """
    if color == "y":
        return luma(image)[:, :, None]
    rgb = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    return rgb if color == "rgb" else rgb_to_ycbcr(rgb)


def degrade(image: NDArray[np.uint8], scale: int, *, color: str = "y", name: str = "") -> Degraded:
    """Modcrop, then shrink and enlarge the planes of an 8-bit image with MATLAB's bicubic; nothing is rounded.

    Raises:
        DataError: a side is shorter than ``scale``.
    """
    original = planes(modcrop(image, scale), color)
    if original.size == 0:
        raise DataError(f"{name}: {image.shape[1]}x{image.shape[0]} pixels are too few for scale {scale}")
    target = original / 255.0
    small = imresize(target, Fraction(1, scale))
    bicubic = imresize(small, scale)
    return Degraded(name, small.astype(np.float32), bicubic.astype(np.float32), target.astype(np.float32), scale)


def _tensor(image: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))[None]).to(device)


@torch.inference_mode()
def reconstruct(network: SRCNN | None, image: Degraded) -> NDArray[np.float32]:
    """The network's large image, float32 (height, width, channels), not rounded or clipped. None gives the bicubic."""
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
    """PSNR over all planes together and mean SSIM of one image; SSIM is NaN if it was not asked for."""
    result = quantize(shave(reconstruct(network, image), image.scale))
    truth = quantize(shave(image.target, image.scale))
    similarity = math.nan
    if with_ssim:
        similarity = float(np.mean([ssim(truth[:, :, c], result[:, :, c]) for c in range(truth.shape[2])]))
    return Score(image.name, psnr(truth, result), similarity)


def mean_score(scores: Iterable[Score]) -> Score:
    """The mean of the images' figures, as the papers print it."""
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
    """Measure a network on its planes, or plain bicubic (None) on those of ``color``; uint8 (name, image) pairs.

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
