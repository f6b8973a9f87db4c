"""The evaluation protocol of the papers, image by image: degrade, reconstruct, shave, measure.

``degrade`` makes the input of a network. ``reconstruct`` applies a network to one image in float32. ``evaluate`` returns
PSNR and SSIM of a set, whose value is the mean over its images. ``network=None`` means bicubic upscaling. With ``ensemble`` the
result is the mean over the eight symmetries (`srcnn.evaluation.ensemble`), and `Evaluation.protocol` names it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.ensemble import ENSEMBLE, mean_over_symmetries
from srcnn.imaging.metrics import psnr, quantize, shave, ssim
from srcnn.model.network import SRCNN
from srcnn.system.device import arithmetic
from srcnn.system.machine_memory import machine_memory, size_in_words

__all__ = ["PROTOCOL", "Evaluation", "Score", "evaluate", "mean_score", "reconstruct", "score"]

_MEASURED = 40.0  # bytes for each plane and pixel while it is measured; 31 with bicubic, 34 with networks were seen
PROTOCOL = "srcnn"  #: name of this protocol in records


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
    protocol: str = PROTOCOL  #: how they were measured; with the ensemble ``srcnn, ensemble of 8``


def _tensor(image: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))[None]).to(device)


@torch.inference_mode()
def reconstruct(network: SRCNN | None, image: Degraded, *, ensemble: bool = False) -> NDArray[np.float32]:
    """Return the upscaled image, float32 (height, width, channels), not rounded or clipped. With None it is the bicubic image.

    Args:
        network: the network, left in its mode.
        image: the degraded image.
        ensemble: whether to return the mean over the eight symmetries, in eight times the time.
    """
    if network is None:
        return image.bicubic
    device = network.convolutions[0].weight.device
    was_training = network.training
    network.eval()

    def enlarge(small: NDArray[np.float32], bicubic: NDArray[np.float32]) -> NDArray[np.float32]:
        return _run(network, small, bicubic, device)

    try:
        with arithmetic():
            if ensemble:
                return mean_over_symmetries(enlarge, image.small, image.bicubic)
            return enlarge(image.small, image.bicubic)
    finally:
        network.train(was_training)


def _run(
    network: SRCNN, small: NDArray[np.float32], bicubic: NDArray[np.float32], device: torch.device
) -> NDArray[np.float32]:
    if network.config.upsampling == "bicubic":
        out = network(_tensor(bicubic, device))
    else:
        base = _tensor(bicubic, device) if network.config.residual else None
        out = network(_tensor(small, device), base)
    result: NDArray[np.float32] = out[0].float().cpu().numpy().transpose(1, 2, 0)
    return result


def score(network: SRCNN | None, image: Degraded, *, with_ssim: bool = True, ensemble: bool = False) -> Score:
    """Return the PSNR over all planes together and the mean SSIM of one image; SSIM is NaN unless ``with_ssim``.

    ``ensemble``: as in `reconstruct`; such a score must not choose anything.
    """
    result = quantize(shave(reconstruct(network, image, ensemble=ensemble), image.scale), np.float32)
    truth = quantize(shave(image.target, image.scale), np.float32)
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


def _check_size(image: NDArray[np.uint8], color: str, name: str) -> None:
    """Check that this machine can hold what an image takes while it is measured."""
    pixels = image.shape[0] * image.shape[1]
    needs, has = _MEASURED * pixels * (1 if color == "y" else 3), machine_memory()
    if needs > has:
        raise DataError(
            f"{name or 'image'}: to measure {pixels / 1e6:.1f} megapixels would take {size_in_words(needs)}, this machine has "
            f"{size_in_words(has)}; give smaller images"
        )


def evaluate(
    network: SRCNN | None,
    images: Iterable[tuple[str, NDArray[np.uint8]]],
    scale: int,
    *,
    color: str = "y",
    with_ssim: bool = True,
    ensemble: bool = False,
) -> Evaluation:
    """Measure a network, or bicubic (None) on the planes of ``color``, on (name, uint8 image) pairs.

    With ``ensemble`` the mean over the eight symmetries is measured, in eight times the time, and the protocol of the result
    says so.

    Raises:
        ConfigError: an ensemble of bicubic is asked for: it is bicubic itself.
        DataError: there is no image, or one is too small for the protocol at this scale, or this machine cannot hold its planes.
    """
    if ensemble and network is None:
        raise ConfigError(
            "ensemble: must be used with a network; bicubic has no ensemble, because it is symmetric itself"
        )
    color = color if network is None else network.config.color

    def prepared() -> Iterator[Degraded]:
        for name, image in images:
            _check_size(image, color, name)
            yield degrade(image, scale, color=color, name=name)

    scores = tuple(score(network, image, with_ssim=with_ssim, ensemble=ensemble) for image in prepared())
    if not scores:
        raise DataError("no image to evaluate")
    return Evaluation(scores, mean_score(scores), f"{PROTOCOL}, {ENSEMBLE}" if ensemble else PROTOCOL)
