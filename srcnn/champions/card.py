"""`Card`: what is known about a shipped network, as a JSON file beside its weights."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from srcnn.config.strict import Strict
from srcnn.config.training import TrainConfig
from srcnn.errors import CheckpointError, ConfigError
from srcnn.system.bounded_read import read_text

__all__ = ["Card", "Origin", "SetScore", "Speed", "TrainingSet", "read_card"]


class TrainingSet(Strict):
    """A training set."""

    name: str = Field(
        description="name, several sets joined by +; with [train]: without the images held out or left out"
    )
    digest: str = Field(
        description="digest of names and pixels, `srcnn.data.image_set.ImageSet.digest`; empty: not known"
    )


class Origin(Strict):
    """How the network came to be."""

    commands: tuple[str, ...] = Field((), description="commands that made it, in order")
    search: str | None = Field(None, description="name of the search that chose it; none: no search")
    training: TrainingSet = Field(description="the training set")
    validation: tuple[str, ...] = Field((), description="images that were held out, by which it was chosen")
    judging: tuple[str, ...] = Field((), description="images that were held out as well, by which it was judged")
    left_out: tuple[str, ...] = Field(
        (), description="training images left out, each with the test image that it shows"
    )
    overlap: tuple[str, ...] = Field((), description="training images that show an image of a test set of the card")
    seeds: tuple[int, ...] = Field(
        (), description="seeds of the trainings of this configuration; the first made the network"
    )
    gain: str = Field(
        "", description="gain over bicubic on judging images in dB, with its 95 % interval; empty: not judged"
    )
    commit: str = Field(
        "",
        description="git commit of the code that trained it; empty: not known, see docs/models.md",
    )
    versions: dict[str, str] = Field(
        default_factory=dict, description="versions of the libraries that trained it, by name"
    )


class SetScore(Strict):
    """Figures on a test set: means over its images, of the protocol that the card names."""

    name: str = Field(description="name of the set")
    images: int = Field(ge=1, description="number of its images")
    digest: str = Field(description="digest of names and pixels, `srcnn.data.image_set.ImageSet.digest`")
    psnr: float = Field(description="PSNR in dB")
    ssim: float = Field(description="SSIM in [0, 1]")
    bicubic_psnr: float = Field(description="PSNR of bicubic upscaling in dB")
    bicubic_ssim: float = Field(description="SSIM of bicubic upscaling in [0, 1]")


class Speed(Strict):
    """Speed of the evaluation in float32: the protocol's forward pass, without reading and writing of files."""

    megapixels_per_second: float = Field(gt=0, description="millions of pixels of the large image per second")
    side: int = Field(description="side of the large image in pixels")
    threads: int = Field(ge=1, description="threads")
    machine: str = Field(description="processor")


class Card(Strict):
    """What is known about a shipped network."""

    scale: int = Field(ge=2, le=4, description="upscaling factor")
    file: str = Field(description="name of the weights file beside the card")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the weights file")
    size: int = Field(ge=1, description="size of the weights file in bytes")
    configuration: TrainConfig = Field(description="network and training")
    training_pixels: float | None = Field(None, description="target pixels of the training; none: not known")
    parameters: int = Field(ge=1, description="number of weights and biases")
    macs: float = Field(gt=0, description="multiply-accumulate operations per pixel of the large image")
    origin: Origin
    protocol: str = Field(description="evaluation protocol of the figures: srcnn, that of the papers")
    scores: tuple[SetScore, ...] = Field(description="figures on test sets, measured after the choice")
    patterns: dict[str, float] = Field(
        default_factory=dict,
        description="lead over bicubic on drawn patterns in dB, `srcnn.evaluation.drawn_patterns`; empty: not measured",
    )
    speed: Speed
    licence: str = Field(description="licence of the weights")

    def score(self, name: str) -> SetScore:
        """Return the figures on a test set.

        Raises:
            ConfigError: the card has no figures on this set.
        """
        for one in self.scores:
            if one.name == name:
                return one
        raise ConfigError(f"{name}: the card of {self.file} has {', '.join(s.name for s in self.scores)}")


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        CheckpointError: the file is missing or is no card.
    """
    try:
        return Card.from_json(read_text(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, ConfigError) as error:
        raise CheckpointError(f"{path}: not a card of a network ({error})") from None
