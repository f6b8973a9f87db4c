"""One training run, complete, as frozen and validated data.

`ModelConfig` says what the network is, `TrainConfig` adds how it is trained. Both round-trip through ``model_dump`` and
JSON, refuse unknown fields, and check every rule when they are made, never in the middle of an epoch.

Sizes follow the notation of the papers: layer i has ``n_i`` filters of ``f_i x f_i`` pixels, so "9-1-5" with "64-32" is
the network of ECCV 2014. Lists may be given as such strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from srcnn.errors import ConfigError, unknown_name

__all__ = ["PRESETS", "ModelConfig", "Strict", "TrainConfig", "format_sizes", "parse_pixels", "preset"]

_PIXELS = re.compile(r"^(\d+(?:\.\d*)?(?:e\+?\d+)?)\s*([kmg]?)$", re.IGNORECASE)
_PIXELS_RULE = "must be a number of training pixels such as 8M, 500k or 8e6"
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def _split_integers(value: object) -> object:
    if isinstance(value, str):
        parts = value.replace(",", "-").split("-")
        if not all(p.strip().isdigit() for p in parts):
            raise ValueError("must be whole numbers joined by '-', such as 9-1-5")
        return tuple(int(p) for p in parts)
    return tuple(value) if isinstance(value, list) else value


def _split_numbers(value: object) -> object:
    if isinstance(value, str):
        try:
            return tuple(float(p) for p in value.split(",") if p.strip())
        except ValueError:
            raise ValueError("must be numbers joined by ',', such as 1,1,0.1") from None
    return tuple(value) if isinstance(value, list) else value


def _read_pixels(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _PIXELS.match(value.strip())
    if not match or not float(match[1]):
        raise ValueError(_PIXELS_RULE)
    return float(match[1]) * _UNITS[match[2].lower()]


def parse_pixels(text: str, name: str) -> float:
    """``8M`` -> 8e6 training pixels; also k, G, and plain numbers such as 8e6.

    Raises:
        ConfigError: the text is no such number; the line begins with ``name``.
    """
    try:
        return float(str(_read_pixels(text)))
    except ValueError:
        raise ConfigError(f"{name}: {_PIXELS_RULE}, but got {text!r}") from None


def format_sizes(sizes: tuple[int, ...]) -> str:
    """``(9, 1, 5)`` -> ``"9-1-5"``, the papers' way of naming a network."""
    return "-".join(map(str, sizes))


Sizes = Annotated[tuple[int, ...], BeforeValidator(_split_integers)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_split_numbers)]
Pixels = Annotated[float, BeforeValidator(_read_pixels)]


class Strict(BaseModel):
    """Frozen data that refuses unknown fields and explains the first broken rule in one line, as a `ConfigError`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise ConfigError(_explain(error, type(self))) from None

    def replace(self, **fields: Any) -> Self:
        """A copy with some fields changed, validated again."""
        return type(self)(**{**self.model_dump(), **fields})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``model_dump_json`` wrote; raises `ConfigError` where a field is unknown or breaks a rule."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise ConfigError(_explain(error, cls)) from None


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


#: Complete recipes. ``paper``: the authors' solver (TPAMI section 4); ``seed``: the seed article's defaults.
PRESETS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "paper": {
        "residual": False,
        "reduction": "euclidean",
        "initialization": "gaussian",
        "init_std": 0.001,
        "optimizer": "sgd",
        "momentum": 0.9,
        "learning_rate": 1e-4,
        "layer_rates": (0.1,),
        "schedule": "constant",
        "warmup": 0.0,
        "batch_size": 128,
        "patch_size": 33,
        "stride": 14,
        "augment": False,
        "precision": "fp32",
    },
    "seed": {
        "protocol": "article",
        "upsampling": "pixel_shuffle",
        "residual": False,
        "padding": "zeros",
        "scale": 4,
        "initialization": "gaussian",
        "init_std": 0.01,
        "optimizer": "adam",
        "learning_rate": 0.01,
        "schedule": "constant",
        # The article has none, and then five of eight seeds (123 among them) kill the network within 25 steps: Adam
        # moves every weight of the first layer by 0.01 the same way. One epoch of warm-up keeps all tried seeds alive.
        "warmup": 0.05,
        "batch_size": 8,
        "patch_size": 256,
        "augment": False,
        "epochs": 20,
        "seed": 123,
        "precision": "fp32",
    },
}


def preset(name: str) -> dict[str, object]:
    """The fields that a preset sets, to be changed and given to `TrainConfig`.

    Raises:
        ConfigError: no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(unknown_name("preset", name, PRESETS))
    return dict(PRESETS[name])


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first broken rule as one line: field, rule, value."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_name("field", field, kind.model_fields)
    text = first["msg"].removeprefix("Value error, ")
    if not field:  # a rule over several fields names its own
        return text
    got = "" if "but got" in text else f", but got {first['input']!r}"  # a nested configuration said it already
    return f"{field}: {text[0].lower()}{text[1:]}{got}"
