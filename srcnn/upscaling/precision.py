"""The arithmetic of a network on this processor: bfloat16 where it is fast and exact enough for this network, else float32.

Weights and features lose all but eight bits of their mantissa in bfloat16. What that costs depends on the network: little where
it adds to the bicubic image, more where its output is the whole image. So it is measured, on the bundled sample. Where the
processor does not multiply bfloat16 in hardware it is slower than float32 and not considered.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from srcnn.data.datasets import load
from srcnn.evaluation.degradation import degrade
from srcnn.imaging.metrics import psnr, quantize, shave
from srcnn.model.network import SRCNN
from srcnn.system.device import bf16_is_fast
from srcnn.upscaling.network_pass import network_pass
from srcnn.upscaling.tiles import PreparedNetwork, prepare

__all__ = ["PRECISIONS", "TOLERANCE", "bf16_loss", "prepared"]

PRECISIONS = ("auto", "fp32", "bf16")
TOLERANCE = 0.005  #: dB by which bfloat16 may change the PSNR, on average over the sample
_SIDE = 120  # pixels of the squares cut from the sample's images

_ready: dict[tuple[str, str], PreparedNetwork] = {}  # by digest and precision; small, the weights of a few networks


def prepared(network: SRCNN, precision: str = "auto") -> PreparedNetwork:
    """Return the network's layers in a precision of `PRECISIONS`; they are kept, and for ``auto`` the choice is."""
    key = (_digest(network), precision)
    if key not in _ready:
        if precision == "auto":
            exact = bf16_is_fast(torch.device("cpu")) and bf16_loss(network) <= TOLERANCE
            _ready[key] = prepared(network, "bf16" if exact else "fp32")
        else:
            _ready[key] = prepare(network, precision)
    return _ready[key]


def bf16_loss(network: SRCNN) -> float:
    """Return by how many dB bfloat16 changes the PSNR of a network, up or down: the mean over squares of the bundled sample.

    The images are degraded as in the protocol. This takes a tenth of a second, for a network of three planes on grey images too.
    """
    scale = network.config.scale
    both = [prepare(network, precision) for precision in ("fp32", "bf16")]
    changes = []
    for image in _squares():
        degraded = degrade(image, scale)
        found = []
        for layers in both:
            out = np.empty(degraded.target.shape[:2], np.float32)
            network_pass(degraded.small[:, :, 0], out, layers, threads=1)
            truth = quantize(shave(degraded.target[:, :, 0], scale))
            found.append(psnr(truth, quantize(shave(out, scale))))
        changes.append(abs(found[1] - found[0]))
    return float(np.mean(changes))


@lru_cache(maxsize=1)
def _squares() -> tuple[NDArray[np.uint8], ...]:
    """The middles of the sample's test images."""
    found = []
    for _, image in load("sample/test").images:
        top, left = (max(0, (side - _SIDE) // 2) for side in image.shape[:2])
        found.append(image[top : top + _SIDE, left : left + _SIDE])
    return tuple(found)


def _digest(network: SRCNN) -> str:
    total = hashlib.sha256(network.config.model_dump_json().encode())
    for parameter in network.parameters():
        total.update(parameter.detach().to("cpu", torch.float32).numpy().tobytes())
    return total.hexdigest()
