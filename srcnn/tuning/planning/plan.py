"""`plan_search`: a search with all inputs loaded and validated, before anything is started or written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from srcnn.champions.start import StartNetwork
from srcnn.config.quantities import counted
from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, split
from srcnn.data.known_sets import data_root
from srcnn.errors import ConfigError, DataError
from srcnn.overlap.leaks import Divided, Leak, divide
from srcnn.overlap.pairs import same_photograph
from srcnn.system.bounded_read import read_text
from srcnn.system.gpu import gpu_count
from srcnn.training.memory import check_step
from srcnn.tuning.algorithms.early_stopping import EPOCHS
from srcnn.tuning.curves.learn_from import learn_from
from srcnn.tuning.planning.settings import SearchSettings, kept_past
from srcnn.tuning.planning.starts import shared_lines, start_networks, warnings, with_starts
from srcnn.tuning.space.first_trials import enqueued
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.shipped_spaces import readable
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.space_file import load_space
from srcnn.tuning.trials.past import PastTrial

__all__ = ["Plan", "plan_search"]


@dataclass(frozen=True)
class Plan:
    """A validated search that is ready to start."""

    settings: SearchSettings
    space: Space
    training: ImageSet
    validation: ImageSet  #: images for all choices
    judging: ImageSet  #: images for judging the winner, not used in any choice; may be empty
    test: tuple[ImageSet, ...]
    first: tuple[Mapping[str, Value], ...]  #: parameter values that run before the sampler starts
    references: int  #: number of reference trials among these (the paper's network, one per scale), never stopped
    space_text: str  #: contents of the search-space file, stored with the results
    left_out: tuple[Leak, ...] = ()  #: images that show a test image, removed from training and validation
    kept: tuple[Leak, ...] = ()  #: such images that are kept by ``allow_overlap``; metrics are marked
    past: tuple[PastTrial, ...] = ()  #: trials of past searches to learn from
    past_skipped: int = 0  #: number of trials of the same searches that lie outside the space; 0 in a resumed search
    starts: Mapping[str, StartNetwork] = field(default_factory=dict)  #: networks that trials may start from, by name
    warnings: tuple[str, ...] = ()  #: about the images that these were trained on, and the layers that they share

    @property
    def overrides(self) -> dict[str, Any]:
        """Fields with the same value in every trial of the search."""
        budget = self.settings.budget
        return {"pixels": budget, "epoch_pixels": budget / EPOCHS, "seed": self.settings.seed}


def held_out(total: int, validation: int | None, judging: int | None) -> tuple[int, int]:
    """Return how many of ``total`` images are validation images and how many are judging images.

    A tenth each, at most 12; at least 6 validation and 4 judging images, because fewer give little information. From a
    small set at most five sevenths are held out, so that training images remain.
    """
    tenth = round(total / 10)
    if validation is None:
        validation = max(1, min(12, max(6, tenth), total * 3 // 7))
    if judging is None:
        judging = max(0, min(12, max(4, tenth), total * 5 // 7 - validation))
    return validation, judging


def hold_out(images: ImageSet, settings: SearchSettings, tests: Sequence[ImageSet]) -> tuple[Divided, ImageSet]:
    """Split the images into training, validation and judging images at random. Without confirmation there are no judging images.

    No part shows a test image (unless the settings allow it), and all images of one photograph are in one part.

    Raises:
        DataError: no training image remains.
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
    """Load and validate all inputs of a search, before anything is started or written.

    Images that show a test image are removed from training and validation unless the settings allow them, and all
    images of one photograph are in one part. Only the contents of test images are used for this comparison; no metric
    of a test set is read, and no choice depends on one.

    Raises:
        SRCNNError: the space, the data or their combination breaks a rule.
    """
    cores = os.cpu_count() or 1
    if settings.address is None and settings.cpus_per_trial > cores:
        raise ConfigError(
            f"cpus_per_trial: this machine has {counted(cores, 'core')}, but got {settings.cpus_per_trial}"
        )
    space = load_space(Path(settings.space))
    if settings.scales is not None:
        space = space.restrict_scales(settings.scales)
    if settings.max_parameters is not None:
        space = space.restrict(max_parameters=settings.max_parameters)
    starts = start_networks(space, settings.folder, settings.tracking_uri)
    space = with_starts(space, starts)
    apart = shared_lines(space)
    first, references = enqueued(space, settings.enqueue)
    root = data_root(settings.data_root)
    images = load(settings.train, root, skip_bad=settings.skip_bad)
    test = tuple(load(name, root, skip_bad=settings.skip_bad) for name in settings.test)
    parts, judging = hold_out(images, settings, test)
    training, validation = parts.training, parts.validation
    assert validation is not None, "at least one image is held out"
    text = read_text(readable(Path(settings.space)))
    plan = Plan(
        settings, space, training, validation, judging, test, first, references, text, parts.left_out, parts.kept
    )
    held_out = [name for part in (validation, judging) for name, _ in part.images]
    about = warnings(
        starts, settings.folder, images.name, held_out, [one.name for one in test], allow_overlap=settings.allow_overlap
    )
    plan = replace(plan, starts=starts, warnings=(*about, *apart))
    kept = kept_past(settings)
    if kept is not None:  # a resumed search learns from what it began with
        plan = replace(plan, past=kept)
    elif settings.learn_from:
        learnt = learn_from(settings.learn_from, space, settings.tracking_uri, settings.name)
        plan = replace(plan, past=learnt.trials, past_skipped=learnt.skipped)
    shapes = {name: image.shape[:2] for name, image in training.images}
    # A GPU is left to its worker, which checks too: to ask it for its memory would take some of it.
    here = None if settings.address is not None or gpu_count() else torch.device("cpu")
    free = replace(space, shapes=None)  # a corner need not share a layer with its start network
    for corner in space.corners():
        config = free.to_config(corner, **plan.overrides)
        if config.protocol != "srcnn":
            raise ConfigError(f"protocol: a search must use the protocol srcnn, but got {config.protocol!r}")
        largest = max(
            (min(height, width) // config.scale * config.scale for height, width in shapes.values()), default=0
        )
        if config.late_patch_size is not None and config.late_patch_size > largest:
            raise DataError(
                f"late_patch_size: some image of {training.name} must be as large, but got {config.late_patch_size} and at most "
                f"{largest} pixels"
            )
        for name, (height, width) in shapes.items():
            side = min(height, width) // config.scale * config.scale
            if side < config.patch_size:
                raise DataError(
                    f"patch_size: a training image must not be smaller than a sub-image of {config.patch_size} pixels, but "
                    f"{name} of {training.name} has {width}x{height}"
                )
        if here is not None and not space.constraints.broken_by(config):
            check_step(config, here)
    return plan
