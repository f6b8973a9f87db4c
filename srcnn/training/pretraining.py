"""Pre-training of some planes of a YCbCr network (TPAMI 2016, section 5.3): loss weights and initial weights."""

from __future__ import annotations

import torch
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN

__all__ = ["pretraining_weights", "silence_planes"]


def pretraining_weights(config: TrainConfig) -> Tensor:
    """Return the weights (3, 1, 1) of the planes' squared errors during pre-training."""
    covered = torch.tensor([1.0, 0.0, 0.0] if config.pretrain == "y" else [0.0, 1.0, 1.0]).view(3, 1, 1)
    return (
        covered / covered.mean() if config.reduction == "mean" else covered
    )  # the mean is taken over the covered planes


@torch.no_grad()
def silence_planes(network: SRCNN, plane_weights: Tensor) -> None:
    """Set the last layer's weights of the planes without a loss to zero.

    No gradient reaches these weights before fine-tuning, so a residual network leaves the planes at the bicubic image. With
    random weights the planes would contain noise that grows with the features of the other planes.
    """
    last = network.convolutions[-1].weight
    for rows, weight in zip(last.chunk(3), plane_weights.flatten().tolist(), strict=True):
        if not weight:
            rows.zero_()
