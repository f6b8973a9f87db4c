"""Layers that two networks have in common: those of the same number with tensors of the same shapes.

A training may begin with the weights of another network (`srcnn.training.warm_start`). It takes the layers in common, and there
must be at least one. Shapes alone decide, so no network is built here.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from srcnn.config.architecture import ModelConfig
from srcnn.errors import ConfigError
from srcnn.model.network import weight_shapes

__all__ = ["Shapes", "check_shared", "layer_of", "shapes_of", "shared_layers"]

Shapes = Mapping[str, tuple[int, ...]]  #: shape of each tensor of a state dict, by its name

_NAMED = 6  # maximum number of layers whose shapes a message has


def shapes_of(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of a state dict, by its name."""
    return {name: tuple(value.shape) for name, value in weights.items()}


def shared_layers(config: ModelConfig, other: Shapes) -> tuple[int, ...]:
    """Return the layers of the network of ``config``, counted from 0, that another network has as well.

    A layer is shared if all of its tensors that both networks have are of the same shape.

    Args:
        config: configuration of a network.
        other: shapes of the tensors of another network, see `shapes_of`.
    """
    equal: dict[int, bool] = {}
    for name, shape in weight_shapes(config).items():
        layer = layer_of(name)
        if name in other:
            equal[layer] = equal.get(layer, True) and tuple(other[name]) == shape
    return tuple(sorted(layer for layer, same in equal.items() if same))


def check_shared(config: ModelConfig, other: Shapes, name: str = "") -> None:
    """Check that a network shares a layer with another one.

    Args:
        config: configuration of the network.
        other: shapes of the tensors of the network to start from.
        name: name of that network, for the message.

    Raises:
        ConfigError: it shares none.
    """
    if not shared_layers(config, other):
        mine, theirs = _listed(weight_shapes(config)), _listed(other)
        must = f"{name} must have" if name else "must have"
        raise ConfigError(
            f"start: {must} a layer of the same shape as in {config.name} at x{config.scale} ({mine}), but got "
            f"{theirs or 'none'}"
        )


def layer_of(name: str) -> int:
    """Return the number in the name of a tensor: 3 for ``layers.3.weight``."""
    return int(next(part for part in name.split(".") if part.isdigit()))


def _listed(shapes: Shapes) -> str:
    """Return the shapes of the weights, first layer first."""
    found = ["x".join(map(str, shape)) for shape in shapes.values() if len(shape) > 1]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more
