"""A search that passed every check: `plan_search`. Nothing is started or written before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srcnn.datasets import ImageSet, data_root, load
from srcnn.errors import ConfigError, DataError
from srcnn.leaks import Leak, divide
from srcnn.tuning.enqueue import enqueued
from srcnn.tuning.parameter import Value
from srcnn.tuning.scheduler import EPOCHS
from srcnn.tuning.settings import SearchSettings
from srcnn.tuning.space import Space
from srcnn.tuning.space_file import load_space

__all__ = ["Plan", "plan_search"]


@dataclass(frozen=True)
class Plan:
    """A search that passed every check and is ready to start."""

    settings: SearchSettings
    space: Space
    training: ImageSet
    validation: ImageSet
    test: tuple[ImageSet, ...]
    first: tuple[Mapping[str, Value], ...]  #: what runs before anything is sampled
    baselines: int  #: how many of these are the paper's network, one for each scale, which no scheduler stops
    space_text: str  #: the space's file, to be kept with the results
    left_out: tuple[Leak, ...] = ()  #: images that show a test image, neither trained on nor chosen by
    kept: tuple[Leak, ...] = ()  #: the same with ``allow_overlap``: they are, and figures are marked

    @property
    def overrides(self) -> dict[str, Any]:
        """Fields that every run of the search shares."""
        budget = self.settings.budget
        return {"pixels": budget, "epoch_pixels": budget / EPOCHS, "seed": self.settings.seed}


def plan_search(settings: SearchSettings) -> Plan:
    """Load and check everything a search needs, before anything is started or written.

    Images that show a test image are left out of training and validation unless the settings allow them, and images of one
    photograph go to one side. For this the contents of the test images are compared with the others'; no figure of a test
    set is read, and nothing is chosen by them.

    Raises:
        SRCNNError: the space, the data or their combination breaks a rule.
    """
    space = load_space(Path(settings.space))
    if settings.scales is not None:
        space = space.restrict_scales(settings.scales)
    root = data_root(settings.data_root)
    images = load(settings.train, root, skip_bad=settings.skip_bad)
    count = settings.validation or min(12, max(2, round(len(images) / 10)))
    test = tuple(load(name, root, skip_bad=settings.skip_bad) for name in settings.test)
    parts = divide(images, count, settings.seed, test, allow_overlap=settings.allow_overlap)
    training, validation = parts.training, parts.validation
    assert validation is not None, "at least one image is held out"
    first, baselines = enqueued(space, settings.enqueue)
    text = Path(settings.space).read_text(encoding="utf-8")
    plan = Plan(settings, space, training, validation, test, first, baselines, text, parts.left_out, parts.kept)
    shapes = {name: image.shape[:2] for name, image in training.images}
    for corner in space.corners():
        config = space.to_config(corner, **plan.overrides)
        if config.protocol != "srcnn":
            raise ConfigError(f"protocol: a search measures by the papers' protocol, but got {config.protocol!r}")
        for name, (height, width) in shapes.items():
            side = min(height, width) // config.scale * config.scale
            if side < config.patch_size:
                raise DataError(
                    f"patch_size: a training image must hold a sub-image of {config.patch_size} pixels, but {name} of "
                    f"{training.name} has {width}x{height}"
                )
    return plan
