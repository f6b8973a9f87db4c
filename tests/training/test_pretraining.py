"""Weights of the loss in pre-training, and the planes that begin silent."""

from __future__ import annotations

import torch

from srcnn.config.training import TrainConfig
from srcnn.model.network import SRCNN
from srcnn.training.pretraining import pretraining_weights, silence_planes


def config(pretrain: str, reduction: str = "mean") -> TrainConfig:
    return TrainConfig(kernels=(3, 3), filters=(4,), color="ycbcr", pretrain=pretrain, reduction=reduction)


def test_a_mean_is_one_over_the_covered_planes() -> None:
    errors = torch.tensor([3.0, 5.0, 7.0]).view(1, 3, 1, 1)
    assert (errors * pretraining_weights(config("y"))).mean() == 3.0
    assert (errors * pretraining_weights(config("cbcr"))).mean() == 6.0
    assert pretraining_weights(config("cbcr", "euclidean")).flatten().tolist() == [0.0, 1.0, 1.0]  # a sum: no rescaling


def test_planes_without_a_loss_begin_silent_at_every_scale() -> None:
    for upsampling in ("bicubic", "pixel_shuffle"):
        chosen = config("y").replace(upsampling=upsampling, scale=2)
        network = SRCNN(chosen.architecture)
        network.initialize("he", 0.1, torch.Generator().manual_seed(0))
        silence_planes(network, pretraining_weights(chosen))
        y, cb, cr = network.convolutions[-1].weight.chunk(3)
        assert y.any() and not cb.any() and not cr.any()
