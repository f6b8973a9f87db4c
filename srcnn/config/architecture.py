"""`ModelConfig`, the configuration of a network: everything that its weights depend on.

The sizes have bounds far above any use, so that a misprint, or a file of a stranger, cannot ask for a network that no machine
holds. The networks of the papers have at most 5 layers and 57,184 weights.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from srcnn.config.quantities import Sizes, format_sizes
from srcnn.config.strict import Strict

__all__ = ["MOST_FILTERS", "MOST_LAYERS", "MOST_WEIGHTS", "WIDEST_KERNEL", "ModelConfig"]

MOST_LAYERS = 100
WIDEST_KERNEL = 99
MOST_FILTERS = 4096  #: of one layer
MOST_WEIGHTS = 32_000_000  #: of all layers together: 128 MB in float32


class ModelConfig(Strict):
    """Configuration of a network: everything that its weights depend on."""

    kernels: Sizes = Field((9, 1, 5), description="kernel size of each layer, odd, first layer first: 9-1-5")
    filters: Sizes = Field((64, 32), description="number of filters of each layer except the last: 64-32")
    scale: int = Field(3, ge=2, le=4, description="upscaling factor: 2, 3 or 4")
    upsampling: Literal["bicubic", "pixel_shuffle"] = Field(
        "bicubic",
        description="bicubic: the input is upscaled first; pixel_shuffle: the last layer outputs scale^2 channels",
    )
    color: Literal["y", "ycbcr", "rgb"] = Field(
        "y", description="colour planes of input and output: y (1 channel), ycbcr or rgb (3)"
    )
    residual: bool = Field(
        True, description="add the network's output to the bicubic image instead of replacing the image"
    )
    padding: Literal["replicate", "zeros"] = Field(
        "replicate",
        description="replicate: no padding in training, edges repeated in evaluation (the papers); zeros: zero padding in both",
    )
    activation: Literal["relu", "prelu"] = Field(
        "relu",
        description="after every layer but the last: relu (the papers), or prelu: a trained slope below zero for each filter",
    )

    @property
    def channels(self) -> int:
        """Number of input and output planes: 1 or 3."""
        return 1 if self.color == "y" else 3

    @property
    def depth(self) -> int:
        """Number of convolutional layers."""
        return len(self.kernels)

    @property
    def border(self) -> int:
        """Pixels by which the unpadded convolutions reduce each side length: the sum of (f_i - 1)."""
        return sum(k - 1 for k in self.kernels)

    @property
    def outputs(self) -> int:
        """Number of planes that the last layer computes: ``channels``, or scale^2 for each with pixel_shuffle."""
        return self.channels * (self.scale**2 if self.upsampling == "pixel_shuffle" else 1)

    @property
    def weights(self) -> int:
        """Number of weights of all layers, without biases and slopes."""
        widths = (self.channels, *self.filters, self.outputs)
        return sum(a * b * k * k for a, b, k in zip(widths[:-1], widths[1:], self.kernels, strict=True))

    @property
    def name(self) -> str:
        """Short name of the network: kernels, then filters, as in ``9-1-5 (64-32)``, and ``prelu`` if it has slopes."""
        plain = f"{format_sizes(self.kernels)} ({format_sizes(self.filters)})"
        return plain if self.activation == "relu" else f"{plain} {self.activation}"

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        kernels, filters = format_sizes(self.kernels), format_sizes(self.filters)
        if len(self.kernels) > MOST_LAYERS:
            raise ValueError(f"kernels: must have at most {MOST_LAYERS} layers, but got {len(self.kernels)}")
        for size in self.kernels:
            if size < 1 or size % 2 == 0:
                raise ValueError(f"kernels: every size must be odd and positive, but got {size} in {kernels}")
            if size > WIDEST_KERNEL:
                raise ValueError(f"kernels: every size must be at most {WIDEST_KERNEL}, but got {size} in {kernels}")
        if len(self.kernels) < 2:
            raise ValueError(f"kernels: must have at least two layers, but got {kernels}")
        if len(self.filters) != len(self.kernels) - 1:
            raise ValueError(
                f"filters: must have one number for each layer except the last, {len(self.kernels) - 1} for kernels {kernels}, "
                f"but got {filters}"
            )
        if min(self.filters) < 1:
            raise ValueError(f"filters: every number must be at least 1, but got {filters}")
        if max(self.filters) > MOST_FILTERS:
            raise ValueError(
                f"filters: every number must be at most {MOST_FILTERS}, but got {max(self.filters)} in {filters}"
            )
        if self.weights > MOST_WEIGHTS:
            raise ValueError(
                f"filters: the network must have at most {MOST_WEIGHTS:,} weights, but {self.name} has {self.weights:,}"
            )
        return self
