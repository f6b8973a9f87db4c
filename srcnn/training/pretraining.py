"""Pre-training of some planes of a YCbCr network (TPAMI 2016, section 5.3): the loss weights and the initial weights."""

from __future__ import annotations

import torch
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN

__all__ = ["pretraining_weights", "silence_planes"]


def pretraining_weights(config: TrainConfig) -> Tensor:
    """Weights (3, 1, 1) of the planes' squared errors in pre-training."""
    covered = torch.tensor([1.0, 0.0, 0.0] if config.pretrain == "y" else [0.0, 1.0, 1.0]).view(3, 1, 1)
    return covered / covered.mean() if config.reduction == "mean" else covered  # a mean is one over covered planes


@torch.no_grad()
def silence_planes(network: SRCNN, plane_weights: Tensor) -> None:
    """Zero the last layer's weights of the planes without a loss.

    No gradient reaches them before fine-tuning, so a residual network keeps those planes at the bicubic image. Drawn
    weights would make them noise that grows with the features of the other planes.
    """
    last = network.convolutions[-1].weight
    for rows, weight in zip(last.chunk(3), plane_weights.flatten().tolist(), strict=True):
        if not weight:
            rows.zero_()
