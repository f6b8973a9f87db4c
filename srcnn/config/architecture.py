"""What a network is: `ModelConfig`, everything that its weights depend on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from srcnn.config.quantities import Sizes, format_sizes
from srcnn.config.strict import Strict

__all__ = ["ModelConfig"]


class ModelConfig(Strict):
    """What the network is: everything that its weights depend on."""

    kernels: Sizes = Field((9, 1, 5), description="kernel size of each layer, odd, first to last: 9-1-5")
    filters: Sizes = Field((64, 32), description="filters of each layer but the last: 64-32")
    scale: int = Field(3, ge=2, le=4, description="upscaling factor: 2, 3 or 4")
    upsampling: Literal["bicubic", "pixel_shuffle"] = Field(
        "bicubic",
        description="bicubic: the input is enlarged first; pixel_shuffle: the last layer makes scale^2 channels",
    )
    color: Literal["y", "ycbcr", "rgb"] = Field("y", description="planes in and out: y (1 channel), ycbcr or rgb (3)")
    residual: bool = Field(True, description="the network adds to the bicubic image rather than replacing it")
    padding: Literal["replicate", "zeros"] = Field(
        "replicate",
        description="replicate: none in training, edge pixels repeated in evaluation (the papers); zeros: in both",
    )

    @property
    def channels(self) -> int:
        """Image planes in and out: 1 or 3."""
        return 1 if self.color == "y" else 3

    @property
    def depth(self) -> int:
        """Number of convolutions."""
        return len(self.kernels)

    @property
    def border(self) -> int:
        """Pixels that the unpadded convolutions take off both sides together: sum of (f_i - 1)."""
        return sum(k - 1 for k in self.kernels)

    @property
    def name(self) -> str:
        """Short name: kernels, then filters, as in ``9-1-5 (64-32)``."""
        return f"{format_sizes(self.kernels)} ({format_sizes(self.filters)})"

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        kernels, filters = format_sizes(self.kernels), format_sizes(self.filters)
        for size in self.kernels:
            if size < 1 or size % 2 == 0:
                raise ValueError(f"kernels: every size must be odd and positive, but got {size} in {kernels}")
        if len(self.kernels) < 2:
            raise ValueError(f"kernels: a network has at least two layers, but got {kernels}")
        if len(self.filters) != len(self.kernels) - 1:
            raise ValueError(
                f"filters: one number for each layer but the last, {len(self.kernels) - 1} for kernels {kernels}, "
                f"but got {filters}"
            )
        if min(self.filters) < 1:
            raise ValueError(f"filters: every number must be at least 1, but got {filters}")
        return self
