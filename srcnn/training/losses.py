"""The losses of training: mean squared error, mean absolute error, Charbonnier loss and PSNR loss.

* ``l1``, the mean absolute error: Zhao, Gallo, Frosio, Kautz, "Loss Functions for Image Restoration with Neural Networks", IEEE
  TCI 2017. It often gives a higher PSNR than the squared error, of which the PSNR is a function.
* ``charbonnier``, the mean of sqrt(error^2 + epsilon^2), a smooth absolute error: Lai, Huang, Ahuja, Yang, "Deep Laplacian
  Pyramid Networks for Fast and Accurate Super-Resolution", CVPR 2017, section 3.2, with epsilon 1e-3 on planes in [0, 1].
* ``psnr``, the mean over the sub-images of log(mean squared error + 1e-4), the negative PSNR but for a factor: Chen et al.,
  "HINet: Half Instance Normalization Network for Image Restoration", CVPR Workshops 2021, section 3.3. What is measured is the
  mean of the PSNRs of images, in which an image with small errors counts as much as one with large errors. The constant
  limits the weight of sub-images without detail; there it is 1e-8, which is of no use for small sub-images.

A last part of the run with the squared error (``mse_share``) goes from any of them to the measure of a single image.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from srcnn.config.training import TrainConfig

__all__ = ["training_loss"]

_PSNR_FLOOR = 1e-4  # mean squared error below which a sub-image gains no further weight: a PSNR of 40 dB


def training_loss(
    config: TrainConfig,
    output: Tensor,
    target: Tensor,
    plane_weights: Tensor | None = None,
    mse_part: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the loss of a batch and its mean squared error over all planes, two tensors without dimensions.

    Args:
        config: configuration with the fields ``loss``, ``charbonnier_epsilon`` and ``reduction``.
        output: planes (N, C, H, W) of the network.
        target: planes of the same shape, in [0, 1].
        plane_weights: weights (C, 1, 1) of the planes' errors; None: 1.
        mse_part: a tensor without dimensions, weight of the mean squared error in the loss; the weight of ``config.loss`` is 1
            minus it. None: 0.
    """
    output = output.float()
    if config.loss == "mse":
        mse = F.mse_loss(output, target)
        loss = mse
        if plane_weights is not None:
            loss = ((output - target).square() * plane_weights).mean()
        if config.reduction == "euclidean":  # Caffe: half the sum of squares of a sub-image, mean over the batch
            loss = loss * (0.5 * target[0].numel())
        return loss, mse.detach()
    error = output - target
    squares = error.square()
    mse = squares.detach().mean()
    weighted = squares if plane_weights is None else squares * plane_weights
    if config.loss == "psnr":
        loss = torch.log(weighted.mean(dim=(1, 2, 3)) + _PSNR_FLOOR).mean()
    else:
        each = error.abs() if config.loss == "l1" else torch.sqrt(squares + config.charbonnier_epsilon**2)
        loss = (each if plane_weights is None else each * plane_weights).mean()
    return loss if mse_part is None else torch.lerp(loss, weighted.mean(), mse_part), mse
