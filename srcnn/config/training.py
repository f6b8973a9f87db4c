"""`TrainConfig`, the configuration of a training run, as immutable and validated data.

`ModelConfig` describes the network, `TrainConfig` adds the training settings. Both can be written with ``model_dump`` or as
JSON and read back. They reject unknown fields and validate every rule on construction, never during training.

Sizes follow the notation of the papers: layer i has ``n_i`` filters of ``f_i x f_i`` pixels, so "9-1-5" with "64-32" is
the network of ECCV 2014. Fields that are lists also accept such strings.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from srcnn.config.architecture import ModelConfig
from srcnn.config.quantities import Numbers, Pixels, format_sizes

__all__ = ["MOST_EPOCHS", "MOST_IMAGES", "MOST_PIXELS", "MOST_PIXELS_A_SIDE", "TrainConfig"]

# Bounds of what a person may ask for, far above any use. What a machine can hold is less: `srcnn.training.memory`.
MOST_IMAGES = 1_000_000  #: of a batch
MOST_PIXELS_A_SIDE = 10_000  #: of a sub-image
MOST_EPOCHS = 1_000_000
MOST_PIXELS = 1e15  #: target pixels of a run: years on a hundred GPUs
MOST_STEPS_OF_THE_RATE = 100
_LONGEST_GROWTH = math.log(1e12)


class TrainConfig(ModelConfig):
    """Configuration of a training run: the network and its training settings.

    By default the loss is the mean squared error on planes in [0, 1], and no field changes the training of the papers.
    """

    protocol: Literal["srcnn", "article"] = Field(
        "srcnn",
        description="how images are degraded and evaluated: srcnn (as in the papers) or article (as in the article)",
    )
    reduction: Literal["mean", "euclidean"] = Field(
        "mean",
        description="loss reduction: mean of the squared errors, or euclidean: half their sum per sub-image (Caffe, the authors)",
    )
    loss: Literal["mse", "l1", "charbonnier", "psnr"] = Field(
        "mse",
        description="what training minimizes, on planes in [0, 1]: mse, l1 (mean absolute error), charbonnier (smooth l1, Lai et "
        "al. 2017), or psnr (mean logarithm of the sub-images' mse, Chen et al. 2021)",
    )
    charbonnier_epsilon: float = Field(
        1e-3, gt=0, le=1, description="error below which the charbonnier loss is about quadratic, on planes in [0, 1]"
    )
    mse_share: float = Field(
        0.0, ge=0, lt=1, description="fraction at the end of the run with the loss mse after another loss; 0: none"
    )
    pretrain: Literal["none", "y", "cbcr"] = Field(
        "none",
        # The squared errors of Cb and Cr after bicubic upscaling are about fifty times smaller than those of Y. With the loss on
        # them alone and the default learning rate, the steps are too large and units die permanently; 1e-4 works.
        description="planes in the loss during the first part of a ycbcr run: y, cbcr (needs a fifth of the default "
        "learning_rate), or none: all planes from the start",
    )
    pretrain_share: float = Field(0.5, gt=0, lt=1, description="fraction of the run used for pre-training")
    initialization: Literal["he", "gaussian"] = Field(
        "he", description="he: variance 2 / fan-in, last layer small; gaussian: standard deviation init_std everywhere"
    )
    init_std: float = Field(0.001, gt=0, le=1e30, description="standard deviation of the gaussian initialization")
    start: str = Field(
        "random",
        description="initial weights: random; champion:2, champion:3 or champion:4 (the network of a scale that comes with the "
        "package); a weights file (.safetensors); or models:/NAME@ALIAS in MLflow's registry. Layers of equal shape are taken "
        "over, the others are random",
    )
    start_digest: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="SHA-256 of the weights that start names, filled in when they are read; if given, they must have it",
    )
    optimizer: Literal["muon", "adam", "sgd"] = Field(
        "muon", description="muon (with adam for the last layer and the biases), adam, or sgd with momentum"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    learning_rate: float = Field(
        5e-4, gt=0, le=1e30, description="peak learning rate; with muon, that of the adam steps"
    )
    layer_rates: Numbers = Field(
        (), description="learning-rate factor per layer, aligned to the last: a single 0.1 applies to the last layer"
    )
    schedule: Literal["constant", "step", "cosine"] = Field("cosine", description="learning-rate schedule")
    cycles: int = Field(
        1,
        ge=1,
        le=1000,
        description="how often the cosine schedule is run through; more than 1: warm restarts (SGDR, Loshchilov 2017)",
    )
    cycle_growth: float = Field(1.0, ge=1, le=100, description="length of a cycle divided by that of the one before")
    warmup: float = Field(0.02, ge=0, lt=1, description="fraction of the run with linear warm-up")
    step_at: Numbers = Field(
        (0.5, 0.75), description="fractions of the run after which the step schedule reduces the rate"
    )
    step_factor: float = Field(0.1, gt=0, lt=1, description="factor of each reduction in the step schedule")
    ema: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="horizon of an exponential moving average of the weights, as a fraction of the run (0.02: 2 % of its steps); "
        "the average is validated and saved; 0: none (Polyak and Juditsky 1992)",
    )
    expansion: int = Field(
        0,
        ge=0,
        le=16,
        description="width in training of each layer's collapsible linear block, in multiples of the layer's filters (SESR, "
        "Bhardwaj et al. 2022); the saved network is the plain one; 0: plain layers",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="decoupled weight decay of the layers that muon moves (Loshchilov and Hutter 2019), relative to the length "
        "of a step: their largest singular values stay below about 1 / weight_decay; 0: none",
    )
    clip: float | None = Field(None, gt=0, le=1e30, description="maximum gradient norm; none: no clipping")
    batch_size: int = Field(8, ge=1, le=MOST_IMAGES, description="sub-images per step")
    test_batch_size: int = Field(8, ge=1, le=MOST_IMAGES, description="images per PSNR in the article protocol")
    patch_size: int = Field(
        60, ge=1, le=MOST_PIXELS_A_SIDE, description="side of a sub-image, in pixels of the large image"
    )
    late_patch_size: int | None = Field(
        None,
        ge=1,
        le=MOST_PIXELS_A_SIDE,
        description="side of a sub-image in the last part of the run; the batch is smaller, with about as many pixels, and "
        "smaller images are left out; none: patch_size",
    )
    late_share: float = Field(0.25, gt=0, lt=1, description="fraction of the run with sub-images of late_patch_size")
    stride: int | None = Field(
        None,
        ge=1,
        le=MOST_PIXELS_A_SIDE,
        description="grid spacing of the sub-images, in pixels, as in the papers; none: random",
    )
    reduced_copies: int = Field(
        0,
        ge=0,
        le=4,
        description="how many smaller copies of each training image join it: the first of those reduced by 0.8, 0.6, 0.7 and 0.9 "
        "(FSRCNN, Dong et al. 2016); 0: none",
    )
    augment: bool = Field(True, description="rotate and mirror sub-images: the 8 symmetries of the square")
    epochs: int | None = Field(None, ge=1, le=MOST_EPOCHS, description="budget in epochs")
    pixels: Pixels | None = Field(
        None, gt=0, le=MOST_PIXELS, description="budget in target pixels: 60M; give either epochs or pixels"
    )
    epoch_pixels: Pixels | None = Field(
        None,
        gt=0,
        le=MOST_PIXELS,
        description="length of an epoch in target pixels: 6M; none: one pass over the training set",
    )
    seed: int = Field(123, ge=0, lt=2**63, description="seed of initialization, sampling and augmentation")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="precision of the convolutions in training; auto: bf16 if the processor supports it"
    )
    deterministic: bool = Field(
        False, description="bit-identical results on the same GPU model, but slower; always the case on a CPU"
    )

    @model_validator(mode="after")
    def _check_training(self) -> Self:
        if self.epochs is not None and self.pixels is not None:
            raise ValueError(
                f"epochs: must not be combined with pixels, but got epochs {self.epochs} and pixels {self.pixels:g}"
            )
        if any(not 0 <= rate <= 1000 for rate in self.layer_rates):
            raise ValueError(f"layer_rates: every factor must lie between 0 and 1000, but got {self.layer_rates}")
        if len(self.layer_rates) > self.depth:
            raise ValueError(
                f"layer_rates: must have at most one factor per layer, {self.depth}, but got {len(self.layer_rates)}"
            )
        if len(self.step_at) > MOST_STEPS_OF_THE_RATE:
            raise ValueError(
                f"step_at: must have at most {MOST_STEPS_OF_THE_RATE} fractions, but got {len(self.step_at)}"
            )
        if any(not 0 < at < 1 for at in self.step_at):
            raise ValueError(f"step_at: every fraction must lie between 0 and 1, but got {self.step_at}")
        if self.protocol == "article" and self.color != "y":
            raise ValueError(f"color: the article protocol supports only y, but got {self.color!r}")
        if self.pretrain != "none" and self.color != "ycbcr":
            raise ValueError(f"pretrain: {self.pretrain} needs color ycbcr, but got {self.color}")
        if self.loss != "mse" and self.reduction != "mean":
            raise ValueError(f"loss: {self.loss} needs reduction mean, but got {self.reduction}")
        if self.cycles > 1 and self.schedule != "cosine":
            raise ValueError(f"cycles: more than 1 needs schedule cosine, but got {self.schedule}")
        if self.cycles * math.log(self.cycle_growth) > _LONGEST_GROWTH:
            raise ValueError(
                f"cycle_growth: the last of the {self.cycles} cycles must be at most 1e12 times as long as the first, but got "
                f"{self.cycle_growth:g}"
            )
        if self.weight_decay and self.optimizer != "muon":
            raise ValueError(f"weight_decay: needs optimizer muon, but got {self.optimizer}")
        if self.expansion == 1:
            raise ValueError("expansion: must be 0 or at least 2, but got 1")
        self._check_start()
        self._check_patch("patch_size", self.patch_size)
        if self.late_patch_size is not None:
            self._check_patch("late_patch_size", self.late_patch_size)
            if self.late_patch_size < self.patch_size:
                raise ValueError(
                    f"late_patch_size: must be at least patch_size, {self.patch_size}, but got {self.late_patch_size}"
                )
        return self

    def _check_start(self) -> None:
        named = self.start in ("random", "champion:2", "champion:3", "champion:4")
        if not named and not (self.start.startswith("models:/") or self.start.endswith(".safetensors")):
            raise ValueError(
                "start: must be random, champion:2, champion:3, champion:4, a .safetensors file or models:/NAME@ALIAS, "
                f"but got {self.start!r}"
            )
        if self.start == "random" and self.start_digest:
            raise ValueError(f"start_digest: must be empty for start random, but got {self.start_digest[:16]}...")

    def _check_patch(self, field: str, asked: int) -> None:
        size, unit = self._side(asked), self.scale if self.upsampling == "pixel_shuffle" else 1
        if size == 0:
            raise ValueError(f"{field}: must be at least the scale, {self.scale}, but got {asked}")
        if size % unit:
            raise ValueError(f"{field}: must be divisible by scale {self.scale} for pixel_shuffle, but got {size}")
        if self.padding == "replicate" and size // unit <= self.border:
            raise ValueError(
                f"{field}: unpadded kernels {format_sizes(self.kernels)} need more than "
                f"{self.border * unit} pixels, but got {asked}"
            )

    def _side(self, asked: int) -> int:
        return asked - (asked % self.scale if self.protocol == "article" else 0)

    @property
    def side(self) -> int:
        """Side of a sub-image, in pixels of the large image. The article protocol rounds it down to a multiple of the scale."""
        return self._side(self.patch_size)

    @property
    def late(self) -> TrainConfig | None:
        """The configuration with the sub-images and batches of the last part of the run; None: they are those of the first.

        Its ``batch_size`` is the number of larger sub-images whose target pixels are nearest to those of a batch of the first
        part, and at least 1.
        """
        if self.late_patch_size is None or self._side(self.late_patch_size) == self.side:
            return None
        late = self.replace(patch_size=self.late_patch_size, late_patch_size=None)
        batch = round(self.batch_size * self.output_size**2 / late.output_size**2)
        return late.replace(batch_size=max(1, batch))

    @property
    def output_size(self) -> int:
        """Side of the target of one sub-image, in pixels of the large image, after the unpadded convolutions."""
        if self.padding == "zeros":
            return self.side
        return self.side - self.border * (self.scale if self.upsampling == "pixel_shuffle" else 1)

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning-rate factor of each layer, first layer first."""
        return (1.0,) * (self.depth - len(self.layer_rates)) + self.layer_rates

    @property
    def architecture(self) -> ModelConfig:
        """The network part of the configuration."""
        return ModelConfig(**{name: getattr(self, name) for name in ModelConfig.model_fields})
