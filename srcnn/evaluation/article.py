"""The protocol of the article, separate from the protocol of the papers. Their results are not comparable.

The article is a PyTorch reproduction of SRCNN with a sub-pixel last layer (2023). Its protocol:

* the centre square of 256 pixels of each image, reduced to a multiple of the scale;
* the Y plane of Pillow's YCbCr (JPEG full range, unlike MATLAB's);
* Pillow's bicubic for the small image;
* PSNR as 10 log10(1 / mse) on [0, 1] per batch, without shaving or rounding, averaged over batches.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from srcnn.errors import DataError
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.metrics import decibels
from srcnn.model.network import SRCNN

__all__ = ["CROP", "average_psnr", "degrade_article"]

#: Side of the centre square, in pixels.
CROP = 256


def degrade_article(image: NDArray[np.uint8], scale: int, *, name: str = "", crop: int = CROP) -> Degraded:
    """Degrade an image: centre square, Pillow luma, downscaled and upscaled with Pillow's bicubic, 8-bit after each step.

    Raises:
        DataError: the image is smaller than the square.
    """
    side = crop - crop % scale
    height, width = image.shape[:2]
    if min(height, width) < side:
        raise DataError(f"{name}: {width}x{height} pixels, but the article protocol needs at least {side}x{side}")
    # torchvision's CenterCrop rounds half the margin as Python's round does: halves to the nearest even number.
    top, left = round((height - side) / 2), round((width - side) / 2)
    square = image[top : top + side, left : left + side]
    y = Image.fromarray(square).convert("YCbCr").getchannel(0)
    small = y.resize((side // scale, side // scale), Image.Resampling.BICUBIC)
    large = small.resize((side, side), Image.Resampling.BICUBIC)

    def unit(plane: Image.Image) -> NDArray[np.float32]:
        return (np.asarray(plane, dtype=np.float32) / np.float32(255.0))[:, :, None]

    return Degraded(name, unit(small), unit(large), unit(y), scale)


def average_psnr(network: SRCNN | None, images: Sequence[Degraded], batch_size: int = 8) -> float:
    """Return the PSNR of the article, in dB: the mean over batches of 10 log10(1 / mse of the whole batch).

    Args:
        network: the network, or None for Pillow's bicubic.
        images: degraded images from `degrade_article`, in order.
        batch_size: number of images per mean squared error (8 in the article).

    Raises:
        DataError: there is no image.
    """
    if not images:
        raise DataError("no image to evaluate")
    figures = [_batch_psnr(network, images[start : start + batch_size]) for start in range(0, len(images), batch_size)]
    return float(np.mean(figures))


def _batch_psnr(network: SRCNN | None, batch: Iterable[Degraded]) -> float:
    with torch.inference_mode(), np.errstate(over="ignore"):  # the error is then infinite
        errors = [
            float(np.mean((reconstruct(network, image) - image.target) ** 2, dtype=np.float64)) for image in batch
        ]
    mse = float(np.mean(errors))  # all images of a batch have the same size, so this mean is that of the batch
    if not 0 < mse < math.inf:
        return decibels(mse)
    return 10.0 * math.log10(1.0 / mse)
