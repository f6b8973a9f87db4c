"""PSNR of Y, Cb and Cr for networks with any colour planes, as in the colour table of the papers (TPAMI 2016, table 5).

Degradation, shaving, rounding and clipping are those of `srcnn.evaluation.protocol`. The paper's column "RGB color image" is
the PSNR over the three YCbCr planes together: only with this definition do bicubic (34.57 dB on Set5 at x3) and the authors'
Y network (36.37 dB) give the printed values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import DataError
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.color import rgb_to_ycbcr
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.model.network import SRCNN

__all__ = ["PlaneScore", "mean_planes", "score_planes"]


@dataclass(frozen=True)
class PlaneScore:
    """PSNR of one image in dB, or the means over a set. Infinite for identical planes, such as Cb of a grey image."""

    name: str
    y: float
    cb: float
    cr: float
    color: float  #: PSNR over the three planes together, in dB


def score_planes(
    network: SRCNN | None, images: Iterable[tuple[str, NDArray[np.uint8]]], scale: int
) -> tuple[PlaneScore, ...]:
    """Measure a network, or bicubic (None), plane by plane.

    A network for y leaves Cb and Cr to bicubic, in floating point. The output of a network for rgb is rounded to an 8-bit image
    and then converted to YCbCr.

    Args:
        network: a network with any colour planes, trained for ``scale``.
        images: (name, image) pairs, uint8 (height, width[, 3]); grey images are treated as R = G = B.
        scale: upscaling factor.

    Raises:
        DataError: there is no image, or one is too small for the protocol at this scale.
    """
    scores = tuple(_score(network, name, image, scale) for name, image in images)
    if not scores:
        raise DataError("no image to evaluate")
    return scores


def mean_planes(scores: Iterable[PlaneScore]) -> PlaneScore:
    """Return the mean over the images, plane by plane, as the paper prints it."""
    y, cb, cr, color = np.mean([(s.y, s.cb, s.cr, s.color) for s in scores], axis=0).tolist()
    return PlaneScore("mean", y, cb, cr, color)


def _score(network: SRCNN | None, name: str, image: NDArray[np.uint8], scale: int) -> PlaneScore:
    ready = degrade(image, scale, color="ycbcr", name=name)
    if network is not None and network.config.color == "rgb":
        rgb = quantize(reconstruct(network, degrade(image, scale, color="rgb", name=name)))
        result = rgb_to_ycbcr(rgb.astype(np.uint8)).astype(np.float64)
    else:
        result = quantize(_ycbcr(network, ready))
    result, truth = shave(result, scale), quantize(shave(ready.target, scale))
    y, cb, cr = (psnr(truth[:, :, c], result[:, :, c]) for c in range(3))
    return PlaneScore(name, y, cb, cr, psnr(truth, result))


def _ycbcr(network: SRCNN | None, ready: Degraded) -> NDArray[np.float32]:
    """Return the three planes, not rounded."""
    if network is None or network.config.color == "ycbcr":
        return reconstruct(network, ready)
    luma = replace(ready, small=ready.small[:, :, :1], bicubic=ready.bicubic[:, :, :1], target=ready.target[:, :, :1])
    return np.concatenate([reconstruct(network, luma), ready.bicubic[:, :, 1:]], axis=2)
