"""The losses of training: mean squared error, mean absolute error, and the Charbonnier loss.

The Charbonnier loss is the mean of sqrt(error^2 + epsilon^2), a smooth absolute error: Lai, Huang, Ahuja, Yang, "Deep Laplacian
Pyramid Networks for Fast and Accurate Super-Resolution", CVPR 2017, section 3.2, with epsilon 1e-3 on planes in [0, 1]. The
absolute error was proposed for image restoration by Zhao, Gallo, Frosio, Kautz, "Loss Functions for Image Restoration with
Neural Networks", IEEE TCI 2017. Both often give a higher PSNR than the squared error, although the PSNR is a function of the
squared error alone; a last part of the run with the squared error (``mse_share``) goes from one to the other.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from srcnn.config.training import TrainConfig

__all__ = ["training_loss"]


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
    each = error.abs() if config.loss == "l1" else torch.sqrt(squares + config.charbonnier_epsilon**2)
    if mse_part is not None:
        each = torch.lerp(each, squares, mse_part)
    if plane_weights is not None:
        each = each * plane_weights
    return each.mean(), squares.detach().mean()
