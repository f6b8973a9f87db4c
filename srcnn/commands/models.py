"""Temporary stand-in until the branch champions is merged."""

from __future__ import annotations

from pathlib import Path

from srcnn.errors import ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.official_weights import load_official
from srcnn.model.weights_file import load_network

__all__ = ["load_model"]


def load_model(name: str, scale: int) -> SRCNN | None:
    """Return a network, or None for bicubic."""
    if name == "bicubic":
        return None
    if name.endswith(".mat"):
        return load_official(Path(name), scale)
    network = load_network(Path(name))
    if network.config.scale != scale:
        raise ConfigError(f"--scale: must be {network.config.scale} for {name}, but got {scale}")
    return network
