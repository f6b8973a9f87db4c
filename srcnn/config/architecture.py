"""`ModelConfig`, the configuration of a network: everything that its weights depend on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from srcnn.config.quantities import Sizes, format_sizes
from srcnn.config.strict import Strict

__all__ = ["ModelConfig"]


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
    def name(self) -> str:
        """Short name of the network: kernels, then filters, as in ``9-1-5 (64-32)``, and ``prelu`` if it has slopes."""
        plain = f"{format_sizes(self.kernels)} ({format_sizes(self.filters)})"
        return plain if self.activation == "relu" else f"{plain} {self.activation}"

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        kernels, filters = format_sizes(self.kernels), format_sizes(self.filters)
        for size in self.kernels:
            if size < 1 or size % 2 == 0:
                raise ValueError(f"kernels: every size must be odd and positive, but got {size} in {kernels}")
        if len(self.kernels) < 2:
            raise ValueError(f"kernels: must have at least two layers, but got {kernels}")
        if len(self.filters) != len(self.kernels) - 1:
            raise ValueError(
                f"filters: must have one number for each layer except the last, {len(self.kernels) - 1} for kernels {kernels}, "
                f"but got {filters}"
            )
        if min(self.filters) < 1:
            raise ValueError(f"filters: every number must be at least 1, but got {filters}")
        return self
