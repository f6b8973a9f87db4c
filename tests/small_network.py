"""Small networks with random weights, of both kinds of upsampling."""

from __future__ import annotations

from typing import Any

import torch

from srcnn.config.architecture import ModelConfig
from srcnn.model.network import SRCNN

__all__ = ["small_network"]


def small_network(**fields: Any) -> SRCNN:
    """A network whose output differs clearly from bicubic, so that a wrong layer is noticed."""
    config = ModelConfig(**{"kernels": (5, 3, 3), "filters": (8, 6), **fields})
    network = SRCNN(config).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in network.convolutions:
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=random) / layer.weight[0].numel() ** 0.5)
            assert layer.bias is not None
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=random) * 0.1)
        for slopes in network.slopes:
            slopes.copy_(torch.rand(slopes.shape, generator=random) * 1.5 - 0.5)
    return network
