"""A search that passed every check: `plan_search`. Nothing is started or written before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError, DataError
from srcnn.overlap.leaks import Divided, Leak, divide
from srcnn.overlap.pairs import same_photograph
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.planning.settings import SearchSettings
from srcnn.tuning.space.first_trials import enqueued
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space

__all__ = ["Plan", "plan_search"]


@dataclass(frozen=True)
class Plan:
    """A search that passed every check and is ready to start."""

    settings: SearchSettings
    space: Space
    training: ImageSet
    validation: ImageSet  #: every choice is made on them
    judging: ImageSet  #: they take no part in any choice and judge the winner; may be empty
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


def held_out(total: int, validation: int | None, judging: int | None) -> tuple[int, int]:
    """How many of ``total`` images choose, and how many judge.

    A tenth each, at most 12; at least 6 to choose by and 4 to judge on, below which hardly anything can be told from chance.
    Five sevenths of a small set at most: something has to be left to train on.
    """
    tenth = round(total / 10)
    if validation is None:
        validation = max(1, min(12, max(6, tenth), total * 3 // 7))
    if judging is None:
        judging = max(0, min(12, max(4, tenth), total * 5 // 7 - validation))
    return validation, judging


def hold_out(images: ImageSet, settings: SearchSettings, tests: Sequence[ImageSet]) -> tuple[Divided, ImageSet]:
    """The images to train on and to choose by, and those to judge on, drawn by the seed; without a confirmation none judge.

    No part shows a test image (unless the settings allow it), and the images of one photograph go to one part.

    Raises:
        DataError: nothing is left to train on.
    """
    given = settings.judging if settings.confirm else 0
    count, judges = held_out(len(images), settings.validation, given)
    if count + judges >= len(images):
        raise DataError(
            f"validation, judging: `validation + judging < {len(images)} images` of {images.name} must hold, but got "
            f"{count} + {judges}"
        )
    parts = divide(images, count, settings.seed, tests, allow_overlap=settings.allow_overlap)
    name = f"{images.name}[judging]"
    if not judges:
        return parts, ImageSet(name, ())
    left = {name for name, _ in parts.training.images}
    groups = [set(group) & left for group in same_photograph(images)]
    training, judging = split(parts.training, judges, settings.seed, together=groups)
    return replace(parts, training=replace(training, name=parts.training.name)), replace(judging, name=name)


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
    test = tuple(load(name, root, skip_bad=settings.skip_bad) for name in settings.test)
    parts, judging = hold_out(images, settings, test)
    training, validation = parts.training, parts.validation
    assert validation is not None, "at least one image is held out"
    first, baselines = enqueued(space, settings.enqueue)
    text = Path(settings.space).read_text(encoding="utf-8")
    plan = Plan(
        settings, space, training, validation, judging, test, first, baselines, text, parts.left_out, parts.kept
    )
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
