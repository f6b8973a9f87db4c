"""One training run, complete, as frozen and validated data.

`ModelConfig` says what the network is, `TrainConfig` adds how it is trained. Both round-trip through ``model_dump`` and
JSON, refuse unknown fields, and check every rule when they are made, never in the middle of an epoch.

Sizes follow the notation of the papers: layer i has ``n_i`` filters of ``f_i x f_i`` pixels, so "9-1-5" with "64-32" is
the network of ECCV 2014. Lists may be given as such strings.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from srcnn.config.architecture import ModelConfig
from srcnn.config.quantities import Numbers, Pixels, format_sizes

__all__ = ["TrainConfig"]


class TrainConfig(ModelConfig):
    """A whole run: the network and how it is trained. The loss is the mean squared error on planes in [0, 1]."""

    protocol: Literal["srcnn", "article"] = Field(
        "srcnn", description="how images are degraded and measured: srcnn (the papers') or article (the seed article's)"
    )
    reduction: Literal["mean", "euclidean"] = Field(
        "mean",
        description="of the squared errors: mean over pixels, or half their sum per sub-image (Caffe's, the authors')",
    )
    pretrain: Literal["none", "y", "cbcr"] = Field(
        "none",
        # Errors of Cb and Cr are some fifty times smaller than those of Y (squared, after bicubic): alone, at the usual
        # rate, every step overshoots them and units switch off for good. A learning_rate of 1e-4 learns.
        description="planes that the loss covers in the first part of a ycbcr run: y, cbcr (wants a fifth of the usual "
        "learning_rate), or none: all of them",
    )
    pretrain_share: float = Field(0.5, gt=0, lt=1, description="share of the run that pre-training takes")
    initialization: Literal["he", "gaussian"] = Field(
        "he", description="he: variance 2 / fan-in, last layer small; gaussian: standard deviation init_std everywhere"
    )
    init_std: float = Field(0.001, gt=0, description="standard deviation of the gaussian initialization")
    optimizer: Literal["muon", "adam", "sgd"] = Field(
        "muon", description="muon (the last layer and biases by adam), adam, or sgd with momentum"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    learning_rate: float = Field(5e-4, gt=0, description="peak learning rate; of adam's steps where muon is chosen")
    layer_rates: Numbers = Field(
        (), description="learning-rate factor per layer, aligned to the last: 0.1 alone slows the last layer to a tenth"
    )
    schedule: Literal["constant", "step", "cosine"] = Field("cosine", description="learning rate over the run")
    warmup: float = Field(0.02, ge=0, lt=1, description="share of the run in which the rate rises linearly to its peak")
    step_at: Numbers = Field((0.5, 0.75), description="shares of the run after which the step schedule drops the rate")
    step_factor: float = Field(0.1, gt=0, lt=1, description="factor of each drop of the step schedule")
    clip: float | None = Field(None, gt=0, description="largest gradient norm; none: no clipping")
    batch_size: int = Field(8, ge=1, description="sub-images in a step")
    test_batch_size: int = Field(8, ge=1, description="images that the article protocol pools into one PSNR")
    patch_size: int = Field(60, ge=1, description="side of a sub-image, in pixels of the large image")
    stride: int | None = Field(None, ge=1, description="grid of the sub-images, as in the papers; none: random places")
    augment: bool = Field(True, description="turn and mirror sub-images: the 8 symmetries of the square")
    epochs: int | None = Field(None, ge=1, description="budget in epochs")
    pixels: Pixels | None = Field(None, gt=0, description="budget in target pixels: 60M; exactly one budget holds")
    epoch_pixels: Pixels | None = Field(
        None, gt=0, description="length of an epoch in target pixels: 6M; none: once over the training set"
    )
    seed: int = Field(123, ge=0, lt=2**63, description="seed of initialization, sampling and augmentation")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="arithmetic of the convolutions in training; auto: bf16 where the processor has it"
    )
    deterministic: bool = Field(
        False, description="the same bits every time on one kind of GPU, at some cost in speed; a CPU always gives them"
    )

    @model_validator(mode="after")
    def _check_training(self) -> Self:
        if self.epochs is not None and self.pixels is not None:
            raise ValueError(f"epochs: exclude pixels, but got epochs {self.epochs} and pixels {self.pixels:g}")
        if any(rate < 0 for rate in self.layer_rates):
            raise ValueError(f"layer_rates: every factor must be at least 0, but got {self.layer_rates}")
        if len(self.layer_rates) > self.depth:
            raise ValueError(
                f"layer_rates: at most one factor per layer, {self.depth}, but got {len(self.layer_rates)}"
            )
        if any(not 0 < at < 1 for at in self.step_at):
            raise ValueError(f"step_at: every share must lie between 0 and 1, but got {self.step_at}")
        if self.protocol == "article" and self.color != "y":
            raise ValueError(f"color: the article's protocol knows y alone, but got {self.color!r}")
        if self.pretrain != "none" and self.color != "ycbcr":
            raise ValueError(f"pretrain: {self.pretrain} needs color ycbcr, but got {self.color}")
        self._check_patch()
        return self

    def _check_patch(self) -> None:
        size, unit = self.side, self.scale if self.upsampling == "pixel_shuffle" else 1
        if size == 0:
            raise ValueError(
                f"patch_size: must hold a pixel of the small image, {self.scale}, but got {self.patch_size}"
            )
        if size % unit:
            raise ValueError(f"patch_size: must divide by scale {self.scale} for pixel_shuffle, but got {size}")
        if self.padding == "replicate" and size // unit <= self.border:
            raise ValueError(
                f"patch_size: kernels {format_sizes(self.kernels)} without padding need more than "
                f"{self.border * unit} pixels, but got {self.patch_size}"
            )

    @property
    def side(self) -> int:
        """Side of a sub-image in pixels of the large image; the article cuts its square to a multiple of the scale."""
        return self.patch_size - (self.patch_size % self.scale if self.protocol == "article" else 0)

    @property
    def output_size(self) -> int:
        """Side of the target of one sub-image, in pixels: what remains after the unpadded convolutions."""
        if self.padding == "zeros":
            return self.side
        return self.side - self.border * (self.scale if self.upsampling == "pixel_shuffle" else 1)

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning-rate factor of every layer, first to last."""
        return (1.0,) * (self.depth - len(self.layer_rates)) + self.layer_rates

    @property
    def architecture(self) -> ModelConfig:
        """The network alone, without its training."""
        return ModelConfig(**{name: getattr(self, name) for name in ModelConfig.model_fields})
