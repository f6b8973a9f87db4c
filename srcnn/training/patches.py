"""Sub-images for training, gathered from flat arrays without a Python step per sample.

All images are concatenated in one flat array per plane. A sub-image is then a start index and two strides (down and right). The
8 symmetries of the square only change the start, and the signs and order of the strides, so rotating and mirroring cost
nothing. A batch is one indexed read on the device of the arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.article import degrade_article
from srcnn.evaluation.degradation import Degraded, degrade
from srcnn.imaging.resize import imresize, resized
from srcnn.system.torch_internals import tensor_of_read_only
from srcnn.training.memory import check_images

__all__ = ["REDUCED_BY", "Batch", "PatchSampler", "Plan", "TrainingData", "degrade_for", "prepare"]

#: Factors of the copies of ``TrainConfig.reduced_copies``. FSRCNN (Dong et al. 2016) reduces by 0.9, 0.8, 0.7 and 0.6; here the
#: two come first that differ most from the image and from each other.
REDUCED_BY = (0.8, 0.6, 0.7, 0.9)
_SMALLEST_COPY = 2  # pixels of the small image: a copy with fewer is not made


@dataclass(frozen=True)
class TrainingData:
    """The images for one scale, colour and protocol as flat arrays: plane by plane, image by image, row by row."""

    scale: int
    color: str
    protocol: str
    names: tuple[str, ...]
    sizes: NDArray[np.int64]  #: (images, 2): height and width of the large images
    small: NDArray[np.float32]  #: (channels, pixels of the small images)
    bicubic: NDArray[np.float32]  #: (channels, pixels of the large images)
    target: NDArray[np.uint8]  #: (channels, pixels of the large images), 0..255
    copies: NDArray[np.int64]  #: (images,): 0 for an image itself, k for its copy reduced by the k-th of `REDUCED_BY`
    most_copies: int = 0  #: greatest number of copies that a training can use

    def used(self, copies: int) -> NDArray[np.bool_]:
        """Return which images a training with so many copies of each image uses."""
        return self.copies <= copies

    def pixels(self, copies: int = 0) -> int:
        """Return the number of target pixels of the images that a training with so many copies of each image uses."""
        return int(self.sizes[self.used(copies)].prod(axis=1).sum())


def degrade_for(protocol: str, image: NDArray[np.uint8], scale: int, color: str, name: str) -> Degraded:
    """Degrade one image with the protocol of a configuration. The article protocol supports only the colour y.

    Raises:
        DataError: the image is too small.
    """
    if protocol == "article":
        return degrade_article(image, scale, name=name)
    return degrade(image, scale, color=color, name=name)


def prepare(
    images: Iterable[tuple[str, NDArray[np.uint8]]],
    scale: int,
    *,
    color: str = "y",
    protocol: str = "srcnn",
    copies: int = 0,
) -> TrainingData:
    """Degrade (name, uint8 image) pairs and arrange them for a `PatchSampler`.

    ``copies`` is the greatest number of reduced copies of which a training can use some (``TrainConfig.reduced_copies``).

    Raises:
        DataError: there is no image, or one is too small for the scale.
        ConfigError: this machine cannot hold them.
    """
    images = list(images)
    own_sizes = [(image.shape[0], image.shape[1]) for _, image in images]
    planned = _planned_copies(own_sizes, scale, copies)
    sizes = [*own_sizes, *(one.size for one in planned)]
    check_images(sum(height * width for height, width in sizes), 1 if color == "y" else 3, len(sizes))
    # After the check: making the copies takes memory too.
    images = [*images, *(_reduced(*images[one.image], REDUCED_BY[one.number - 1]) for one in planned)]
    degraded = [degrade_for(protocol, image, scale, color, name) for name, image in images]
    if not degraded:
        raise DataError("there is no training image")

    def flat(planes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate([plane.transpose(2, 0, 1).reshape(plane.shape[2], -1) for plane in planes], axis=1)

    target = flat([d.target for d in degraded])
    return TrainingData(
        scale=scale,
        color=color,
        protocol=protocol,
        names=tuple(d.name for d in degraded),
        sizes=np.array([d.target.shape[:2] for d in degraded], dtype=np.int64),
        small=flat([d.small for d in degraded]),
        bicubic=flat([d.bicubic for d in degraded]),
        target=np.rint(target * np.float32(255.0)).astype(np.uint8),
        copies=np.array([0] * len(own_sizes) + [one.number for one in planned], dtype=np.int64),
        most_copies=copies,
    )


class _Copy(NamedTuple):
    """A reduced copy that is to be made."""

    image: int  # place of the image
    number: int  # k: reduced by the k-th of `REDUCED_BY`
    size: tuple[int, int]  # height and width


def _planned_copies(sizes: Sequence[tuple[int, int]], scale: int, copies: int) -> list[_Copy]:
    """Return the first copies of images of these sizes, then the second ones ...; those that would be too small are left out."""
    every = [
        _Copy(image, number, resized(size, factor))
        for number, factor in enumerate(REDUCED_BY[:copies], start=1)
        for image, size in enumerate(sizes)
    ]
    return [one for one in every if min(one.size) >= _SMALLEST_COPY * scale]


def _reduced(name: str, image: NDArray[np.uint8], factor: float) -> tuple[str, NDArray[np.uint8]]:
    small = np.clip(np.rint(imresize(image.astype(np.float64), factor)), 0, 255).astype(np.uint8)
    return f"{name} reduced by {factor}", small


@dataclass(frozen=True)
class Batch:
    """Planes (batch, channels, side, side), float32, about [0, 1].

    ``base`` exists only for residual networks with the small image as input.
    """

    x: Tensor
    target: Tensor
    base: Tensor | None


class PatchSampler:
    """Draws the batches of a run from a `TrainingData` on a device.

    With ``config.stride`` the sub-images form a regular grid as in the papers, and an epoch uses each one once in random order.
    Without it their positions are random, and their number per epoch covers the target pixels once.

    Args:
        config: configuration of the sub-images and batches.
        data: training images.
        device: device of the arrays and batches.
        beside: another sampler for the same data and device, for smaller sub-images. Its arrays on the device are used instead of
            new ones, and images that are too small for the larger sub-images are left out.

    Reduced copies that are smaller than a sub-image are left out.

    Raises:
        ConfigError: the images were prepared with fewer reduced copies.
        DataError: an image is smaller than a sub-image (with ``beside``: all are), or there are fewer sub-images than a batch
            needs.
    """

    def __init__(
        self, config: TrainConfig, data: TrainingData, device: torch.device, beside: PatchSampler | None = None
    ) -> None:
        self._config = config
        self._unit = (
            config.scale if config.upsampling == "pixel_shuffle" else 1
        )  # positions are counted in input pixels
        self._side = config.side
        used = data.used(config.reduced_copies)
        if config.reduced_copies > data.most_copies:
            raise ConfigError(
                f"reduced_copies: the images were prepared with {data.most_copies}, but got {config.reduced_copies}"
            )
        for name, (height, width), copy_number in zip(data.names, data.sizes, data.copies, strict=True):
            if copy_number == 0 and min(height, width) < self._side and beside is None:
                raise DataError(
                    f"patch_size: an image must not be smaller than a sub-image of {self._side} pixels, but {name} has "
                    f"{width}x{height}"
                )
        largest = int(data.sizes[used].min(axis=1).max())
        if largest < self._side:
            raise DataError(
                f"late_patch_size: must not exceed the shorter side of every image, {largest} at most, but got {self._side}"
            )
        self._sizes = _tensor(data.sizes, torch.device("cpu"))
        self._starts = torch.cat([torch.zeros(1, dtype=torch.int64), self._sizes.prod(dim=1).cumsum(0)[:-1]])
        if beside is None:
            self._small = _tensor(data.small, device) if self._unit > 1 else None
            self._bicubic = _tensor(data.bicubic, device) if self._unit == 1 or config.residual else None
            self._target = _tensor(data.target, device)
        else:
            self._small, self._bicubic, self._target = beside._small, beside._bicubic, beside._target
        self._device = device
        # Number of positions down and right, per image; none in images that are too small or not used.
        room = (self._sizes // self._unit - self._side // self._unit + 1).clamp_(min=0)
        room = room * room.all(dim=1, keepdim=True) * torch.from_numpy(used)[:, None]
        self._room = room
        self._grid = None if config.stride is None else self._make_grid(config.stride)
        self.pixels_per_step = config.batch_size * config.output_size**2  #: target pixels per batch
        if self._grid is not None and len(self._grid) < config.batch_size:
            raise DataError(
                f"batch_size: must not exceed the number of sub-images, {len(self._grid)}, but got {config.batch_size}"
            )
        #: batches per epoch; an incomplete last batch of a grid is omitted
        self.steps_per_epoch = max(
            1, round((config.epoch_pixels or data.pixels(config.reduced_copies)) / self.pixels_per_step)
        )
        if self._grid is not None and config.epoch_pixels is None:
            self.steps_per_epoch = len(self._grid) // config.batch_size

    def _make_grid(self, stride: int) -> Tensor:
        """Return all (image, row, column) of the grid, in input pixels."""
        step = max(1, stride // self._unit)
        places = [
            torch.cartesian_prod(torch.tensor([i]), torch.arange(0, int(h), step), torch.arange(0, int(w), step))
            for i, (h, w) in enumerate(self._room)
        ]
        return torch.cat(places)

    def draw(self, steps: int, generator: torch.Generator) -> Plan:
        """Draw ``steps`` batches at once, so that the training steps need no random numbers from the CPU."""
        count = steps * self._config.batch_size
        if self._grid is not None:
            rounds = -(-count // len(self._grid))
            order = torch.cat([torch.randperm(len(self._grid), generator=generator) for _ in range(rounds)])
            places = self._grid[order[:count]]
        else:
            room = self._room.prod(dim=1)
            ends = room.cumsum(0)
            pick = torch.randint(
                0, int(ends[-1]), (count,), generator=generator
            )  # every position has the same probability
            image = torch.searchsorted(ends, pick, right=True)
            within = pick - (ends[image] - room[image])
            places = torch.stack([image, within // self._room[image, 1], within % self._room[image, 1]], dim=1)
        symmetry = torch.zeros(count, dtype=torch.int64)
        if self._config.augment:
            symmetry = torch.randint(0, 8, (count,), generator=generator)
        shape = (steps, self._config.batch_size)
        return self._plan(*(column.view(shape) for column in (*places.unbind(dim=1), symmetry)))

    def _plan(self, image: Tensor, row: Tensor, column: Tensor, symmetry: Tensor) -> Plan:
        """Return the plan for sub-images at rows and columns, in input pixels."""
        config, unit = self._config, self._unit
        start, width = self._starts[image], self._sizes[image, 1]
        # Small images have their own array, which is shorter by scale^2.
        first = start // unit**2 + row * (width // unit) + column
        inputs = _Windows(first, width // unit, symmetry, self._side // unit, self._device)
        margin = 0 if config.padding == "zeros" else config.border // 2 * unit
        first = start + (row * unit + margin) * width + column * unit + margin
        targets = _Windows(first, width, symmetry, self._side - 2 * margin, self._device)
        base = self._bicubic if unit > 1 else None
        source = self._small if unit > 1 else self._bicubic
        assert source is not None
        return Plan(inputs, targets, source, base, self._target)


class _Windows:
    """Squares of equal side in a flat plane, for many batches: a table (3, steps, batch) of starts and strides."""

    def __init__(self, start: Tensor, width: Tensor, symmetry: Tensor, side: int, device: torch.device) -> None:
        self._rows = torch.arange(side, device=device)
        flip_rows, flip_columns, swap = symmetry & 1, symmetry >> 1 & 1, symmetry >> 2 & 1
        down, right = width * (1 - 2 * flip_rows), 1 - 2 * flip_columns
        first = start + flip_rows * (side - 1) * width + flip_columns * (side - 1)
        swapped = torch.where(swap == 1, right, down), torch.where(swap == 1, down, right)
        self.table = torch.stack([first, *swapped]).to(device)

    def with_table(self, table: Tensor) -> _Windows:
        """Return windows of the same size with another table."""
        other = copy(self)
        other.table = table
        return other

    def read(self, step: int | Tensor, planes: Tensor) -> Tensor:
        """Return pixels (batch, channels, side, side), channels last in memory, from planes (channels, pixels).

        ``step``: see `Plan.batch`.
        """
        rows = self._rows
        # With a tensor as an ordinary index the CPU would read it and wait for the device.
        line = self.table[:, step] if isinstance(step, int) else self.table.index_select(1, step).squeeze(1)
        first, down, right = line[..., None, None]
        index = (first + rows[:, None] * down + rows * right).view(-1)
        # Channels last. With one plane the strides of both layouts are ambiguous, and only these strides make torch choose the
        # channels-last convolutions, which are several times faster on a CPU.
        values = [plane.index_select(0, index) for plane in planes]
        pixels = values[0] if len(values) == 1 else torch.stack(values, dim=-1)
        return pixels.view(-1, len(rows), len(rows), len(values)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Plan:
    """The batches of several steps, as index windows on the device."""

    inputs: _Windows
    targets: _Windows
    source: Tensor
    base: Tensor | None
    target: Tensor

    def batch(self, step: int | Tensor) -> Batch:
        """Return the batch of one step. ``step`` is a number, or a tensor of one number that stays on the device."""
        return Batch(
            x=self.inputs.read(step, self.source),
            target=self.targets.read(step, self.target).float().mul_(1.0 / 255.0),
            base=None if self.base is None else self.targets.read(step, self.base),
        )

    def room_for(self, steps: int) -> Plan:
        """Return an empty plan of the same kind for a number of steps, to be filled."""

        def room(windows: _Windows) -> _Windows:
            return windows.with_table(windows.table.new_zeros(3, steps, windows.table.shape[2]))

        return replace(self, inputs=room(self.inputs), targets=room(self.targets))

    def fill(self, plan: Plan) -> None:
        """Copy the batches of another plan into this one, in place."""
        for mine, other in ((self.inputs, plan.inputs), (self.targets, plan.targets)):
            mine.table[:, : other.table.shape[1]].copy_(other.table)


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    return tensor_of_read_only(array).to(device)  # arrays that several processes share; nothing here writes to them
