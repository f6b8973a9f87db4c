"""Warm start: the initial weights of a network from those of another one, such as the network of another scale.

Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution" (EDSR), CVPR Workshops 2017, section 3.3: networks
for x3 and x4 that begin with the weights of the x2 network converge faster and end better. All layers are equal but the last,
whose number of outputs depends on the scale with ``pixel_shuffle``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.shared_layers import check_shared, layer_of, shapes_of, shared_layers
from srcnn.model.weights_digest import weights_digest

__all__ = ["check_start", "take_over"]


def check_start(config: TrainConfig, weights: Mapping[str, Tensor] | None) -> None:
    """Check that a new run has the weights that its configuration names: this package does not read them.

    Raises:
        ConfigError: they are missing, or they are others than those of ``start_digest``.
    """
    if config.start == "random":  # the caller may give weights of its own
        return
    if weights is None:
        raise ConfigError(f"start: the weights of {config.start} must be given to a new run, but got none")
    found = weights_digest(weights) if config.start_digest else ""
    if found != config.start_digest:
        raise ConfigError(
            f"start: the weights of {config.start} must have digest {config.start_digest[:16]}..., but have {found[:16]}..."
        )


@torch.no_grad()
def take_over(network: SRCNN, weights: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Copy the layers whose shapes are equal into ``network``. The others remain as they are.

    A layer is copied with all of its tensors that both networks have, or not at all.

    Args:
        network: the network to change.
        weights: state dict of another `SRCNN`, on any device.

    Returns:
        The copied layers, counted from 0.

    Raises:
        ConfigError: no layer has the same shape in both networks.
    """
    shapes = shapes_of(weights)
    check_shared(network.config, shapes)
    layers = shared_layers(network.config, shapes)
    for name, value in network.state_dict().items():
        if name in weights and layer_of(name) in layers:
            value.copy_(weights[name])
    return layers
