"""A planned search on the workplace, and a machine whose speed is known by a formula."""

from __future__ import annotations

from typing import Any

import torch

from srcnn.config.training import TrainConfig
from srcnn.tuning.planning.plan import Plan, plan_search
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.planning.speed import Probe, Speed

__all__ = ["SPEED", "macs_of_a_step", "plan"]

#: A step takes 2 ms for a million multiply-accumulates, and a look nothing, so that seconds can be counted by hand.
SPEED = Speed(
    "a device", False, 1, (Probe("small", 1e6, 0.002, 1e3, 0.0), Probe("large", 1e9, 2.0, 1e5, 0.0)), 0.0, 0.0
)


def plan(**fields: Any) -> Plan:
    given = {"name": "x", "space": "space.yaml", "train": "train", "test": ("test",), "validation": 2, "budget": 150e3}
    return plan_search(SearchSettings(**{**given, "enqueue": (), **fields}))


def macs_of_a_step(config: TrainConfig) -> float:
    """By the shapes of the real network's layers on a real sub-image."""
    from srcnn.model.network import SRCNN

    network, total = SRCNN(config.architecture).train(), 0
    unit = config.scale if config.upsampling == "pixel_shuffle" else 1
    x = torch.zeros(config.batch_size, config.channels, config.side // unit, config.side // unit)
    for layer in network.convolutions:
        padding = layer.kernel_size[0] // 2 if config.padding == "zeros" else 0
        x = torch.nn.functional.conv2d(x, layer.weight, padding=padding)
        total += x.numel() * layer.weight[0].numel()
    return float(total)
