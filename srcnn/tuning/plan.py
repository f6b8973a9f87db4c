"""A search that passed every check: `plan_search`. Nothing is started or written before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srcnn.datasets import ImageSet, data_root, load, split
from srcnn.errors import ConfigError, DataError
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

    @property
    def overrides(self) -> dict[str, Any]:
        """Fields that every run of the search shares."""
        budget = self.settings.budget
        return {"pixels": budget, "epoch_pixels": budget / EPOCHS, "seed": self.settings.seed}


def plan_search(settings: SearchSettings) -> Plan:
    """Load and check everything a search needs, before anything is started or written.

    Raises:
        SRCNNError: the space, the data or their combination breaks a rule.
    """
    space = load_space(Path(settings.space))
    if settings.scales is not None:
        space = space.restrict_scales(settings.scales)
    root = data_root(settings.data_root)
    images = load(settings.train, root, skip_bad=settings.skip_bad)
    count = settings.validation or min(12, max(2, round(len(images) / 10)))
    training, validation = split(images, count, settings.seed)
    test = tuple(load(name, root, skip_bad=settings.skip_bad) for name in settings.test)
    first, baselines = enqueued(space, settings.enqueue)
    text = Path(settings.space).read_text(encoding="utf-8")
    plan = Plan(settings, space, training, validation, test, first, baselines, text)
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
