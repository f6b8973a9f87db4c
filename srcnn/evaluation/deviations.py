"""Why another program's PSNR differs: the figure of a set by the papers' protocol and by the usual deviations from it.

A `Procedure` is the protocol with some steps done otherwise. `explain` measures the protocol and every single deviation,
and every pair of deviations if no single one gives the figure to explain.

The steps, and what is often done instead:

* resizing: by Pillow, OpenCV or torch, without antialiasing, or rounded to 8 bits after each step;
* planes: the three planes of RGB together, or Y of the full-range YCbCr of JPEG instead of MATLAB's;
* shaving: no border is removed, or another one than ``scale`` pixels;
* rounding: the result is clipped but not rounded, or neither;
* averaging: the PSNR of the mean squared error of all images, instead of the mean of their PSNRs.

In RGB a network of Y gets the luma of the bicubic image, and Cb and Cr stay bicubic, as SRCNN's authors do for colour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import ConfigError, DataError
from srcnn.evaluation.degradation import Degraded
from srcnn.evaluation.other_resizing import shrink_and_enlarge
from srcnn.evaluation.protocol import reconstruct
from srcnn.imaging.color import BT601, luma
from srcnn.imaging.image_files import modcrop
from srcnn.imaging.metrics import decibels, shave
from srcnn.model.network import SRCNN
from srcnn.system.machine_memory import machine_memory, size_in_words

__all__ = ["Deviation", "Explanation", "Measured", "Procedure", "deviations", "expected_seconds", "explain"]

Image = NDArray[np.uint8]
Planes = NDArray[np.float64]

_JPEG = np.array([0.299, 0.587, 0.114])  # Y of JFIF, full range
_BT601 = BT601[0] / 255.0  # Y of MATLAB without its offset of 16
_LUMA_TO_RGB = 255.0 / 219.0  # what a step of Y adds to R, G and B while Cb and Cr stay
_MEASURED = (
    150  # bytes for each pixel of the image in work: 144 were measured for files, 167 for bicubic, 250 for a network
)
_TIMED = 384  # pixels of a side of the crop that is timed
_LEAST_TOLERANCE = 0.005  # dB; other implementations of the same step differ by their rounding


@dataclass(frozen=True)
class Procedure:
    """How a figure is measured. The defaults are the papers' protocol."""

    resizing: str = "matlab"  #: a name of `srcnn.evaluation.other_resizing.METHODS`
    first: str = (
        "planes"  #: what is resized: ``planes`` that are measured, or the image in ``rgb``, which is then converted
    )
    planes: str = "y"  #: ``y`` as in MATLAB, ``y of jpeg``, or ``rgb``
    border: int | None = None  #: pixels that come off every side; None: as many as the scale
    rounding: str = "8 bits"  #: of the result: ``8 bits``, ``clipped`` or ``none``
    average: str = "psnr"  #: over the images: of the ``psnr``, or of the ``mse``


@dataclass(frozen=True)
class Deviation:
    """One step that is done otherwise. Deviations of the same step exclude each other."""

    name: str
    step: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Measured:
    """The figure of a set by one procedure."""

    names: tuple[str, ...]  #: names of the deviations; empty for the protocol itself
    psnr: float  #: dB
    difference: float  #: ``psnr`` minus the figure to explain, in dB

    @property
    def name(self) -> str:
        """Name of the procedure."""
        return " + ".join(self.names) or "the protocol itself"


@dataclass(frozen=True)
class Explanation:
    """Figures of all procedures, and those that agree with the figure to explain."""

    rows: tuple[Measured, ...]  #: the protocol and all single deviations, in order
    pairs: tuple[Measured, ...]  #: all pairs, nearest first; empty if a row explains the figure
    tolerance: float  #: dB

    @property
    def found(self) -> tuple[Measured, ...]:
        """What explains the figure, nearest first: the protocol alone if it does, else single deviations, else pairs."""
        if abs(self.rows[0].difference) <= self.tolerance:
            return self.rows[:1]
        near = [one for one in (*self.rows, *self.pairs) if abs(one.difference) <= self.tolerance]
        return tuple(sorted(near, key=lambda one: abs(one.difference)))

    @property
    def nearest(self) -> Measured:
        """The procedure whose figure is nearest, whether or not it explains the figure."""
        return min((*self.rows, *self.pairs), key=lambda one: abs(one.difference))


def deviations(scale: int, *, from_files: bool = False) -> tuple[Deviation, ...]:
    """Return the usual deviations from the protocol.

    Args:
        scale: the factor.
        from_files: leave out those that cannot apply to images that come from 8-bit files: resizing and rounding.
    """
    resizing = [
        Deviation("Pillow's bicubic on Y", "resizing", {"resizing": "pillow"}),
        Deviation("Pillow's bicubic on RGB, then Y", "resizing", {"resizing": "pillow", "first": "rgb"}),
        Deviation("OpenCV's bicubic on Y", "resizing", {"resizing": "opencv"}),
        Deviation("OpenCV's bicubic on RGB, then Y", "resizing", {"resizing": "opencv", "first": "rgb"}),
        Deviation("torch's bicubic without antialiasing", "resizing", {"resizing": "torch"}),
        Deviation("MATLAB's bicubic without antialiasing", "resizing", {"resizing": "no antialiasing"}),
        Deviation("images rounded to 8 bits after resizing", "resizing", {"resizing": "matlab, 8 bits"}),
    ]
    planes = [
        Deviation("RGB instead of Y", "planes", {"planes": "rgb"}),
        Deviation("full-range Y of JPEG (Pillow, OpenCV)", "planes", {"planes": "y of jpeg"}),
    ]
    others = sorted({scale + 1, 2 * scale, 4, 6, 8, scale + 6} - {scale})
    border = [Deviation("no shaving", "border", {"border": 0})]
    border += [Deviation(f"{n} pixels shaved instead of {scale}", "border", {"border": n}) for n in others]
    rounding = [
        Deviation("clipped, but not rounded", "rounding", {"rounding": "clipped"}),
        Deviation("neither rounded nor clipped", "rounding", {"rounding": "none"}),
    ]
    average = [Deviation("PSNR of the mean squared error of all images", "average", {"average": "mse"})]
    if from_files:
        return (*planes, *border, *average)
    return (*resizing, *planes, *border, *rounding, *average)


def explain(
    figure: float,
    images: Iterable[tuple[str, Image]],
    scale: int,
    *,
    tolerance: float = _LEAST_TOLERANCE,
    network: SRCNN | None = None,
    upscaled: Mapping[str, Image] | None = None,
) -> Explanation:
    """Find the deviation from the protocol that gives a figure.

    Args:
        figure: PSNR to explain, mean over the set, in dB.
        images: (name, uint8 image) pairs of the set.
        scale: the factor.
        tolerance: how near a figure must be, in dB: half a unit of the last digit given. Below 0.005 it counts as 0.005.
        network: network that enlarges the images; None: bicubic.
        upscaled: enlarged images by the names of the set, instead of ``network``: uint8, of the size of the originals or
            of the originals cut to a multiple of the scale.

    Raises:
        ConfigError: the network does not work on Y, or has another scale.
        DataError: an enlarged image is missing or has another size; there is no image, or one is too small, or too large for this
            machine.
    """
    if network is not None and (network.config.color != "y" or network.config.scale != scale):
        own = network.config
        raise ConfigError(
            f"model: must be a network for the Y plane at x{scale}, but got one for {own.color} at x{own.scale}"
        )
    pairs = list(images)
    if not pairs:
        raise DataError("no image to evaluate")
    _check_memory(pairs)
    singles = deviations(scale, from_files=upscaled is not None)
    tolerance = max(tolerance, _LEAST_TOLERANCE) + 1e-9

    def measure(sets: Sequence[tuple[Deviation, ...]]) -> tuple[Measured, ...]:
        procedures = [_combined(deviating) for deviating in sets]
        values = _figures(procedures, pairs, scale, network, upscaled)
        return tuple(
            Measured(tuple(one.name for one in deviating), value, value - figure)
            for deviating, value in zip(sets, values, strict=True)
        )

    one_by_one, two = _sets(singles)
    found = Explanation(measure(one_by_one), (), tolerance)
    if found.found:
        return found
    return replace(found, pairs=tuple(sorted(measure(two), key=lambda one: abs(one.difference))))


def _sets(singles: Sequence[Deviation]) -> tuple[list[tuple[Deviation, ...]], list[tuple[Deviation, ...]]]:
    """Return none and each of some deviations, and all pairs of them that do not exclude each other."""
    return [(), *((one,) for one in singles)], [(a, b) for a, b in combinations(singles, 2) if a.step != b.step]


def expected_seconds(
    images: Sequence[tuple[str, Image]],
    scale: int,
    *,
    network: SRCNN | None = None,
    upscaled: Mapping[str, Image] | None = None,
) -> tuple[float, float]:
    """Return about how long `explain` takes here in seconds: for the single deviations, and then for the pairs if needed.

    Both are timed on a crop of one image, because the time is proportional to the pixels.

    Args:
        images, scale, network, upscaled: as in `explain`.
    """
    name, image = max(images, key=lambda pair: pair[1].shape[0] * pair[1].shape[1])
    crop = [(name, image[:_TIMED, :_TIMED])]
    given = None if upscaled is None else {key: one[:_TIMED, :_TIMED] for key, one in upscaled.items()}
    pixels = sum(one.shape[0] * one.shape[1] for _, one in images) / (crop[0][1].shape[0] * crop[0][1].shape[1])
    sets = [
        [_combined(deviating) for deviating in some] for some in _sets(deviations(scale, from_files=given is not None))
    ]
    _figures(sets[0], crop, scale, network, given)  # the first time it imports libraries
    found = []
    for procedures in sets:
        started = time.perf_counter()
        _figures(procedures, crop, scale, network, given)
        found.append((time.perf_counter() - started) * pixels)
    return found[0], found[1]


def _check_memory(images: Sequence[tuple[str, Image]]) -> None:
    """Check that this machine can hold what the largest image takes while it is measured.

    Raises:
        DataError: it cannot.
    """
    name, image = max(images, key=lambda pair: pair[1].shape[0] * pair[1].shape[1])
    pixels = image.shape[0] * image.shape[1]
    if _MEASURED * pixels > (has := machine_memory()):
        raise DataError(
            f"{name}: to measure an image of {pixels / 1e6:.1f} megapixels by every procedure would take "
            f"{size_in_words(_MEASURED * pixels)}, this machine has {size_in_words(has)}; give smaller images"
        )


def _combined(deviating: Iterable[Deviation]) -> Procedure:
    changes: dict[str, Any] = {}
    for one in deviating:
        changes |= one.changes
    return Procedure(**changes)


def _figures(
    procedures: Sequence[Procedure],
    images: Sequence[tuple[str, Image]],
    scale: int,
    network: SRCNN | None,
    upscaled: Mapping[str, Image] | None,
) -> list[float]:
    """Return the PSNR of the set by each procedure, in dB."""
    errors: list[list[float]] = [[] for _ in procedures]
    # One after the other, those with the same planes: the planes of all of them would take 640 bytes for each pixel.
    alike: dict[tuple[str, str, str], list[int]] = {}
    for place, one in enumerate(procedures):
        alike.setdefault((one.resizing, one.first, one.planes), []).append(place)
    for name, image in images:
        cropped = modcrop(image, scale)
        if cropped.size == 0:
            raise DataError(f"{name}: {image.shape[1]}x{image.shape[0]} pixels are too few for scale {scale}")
        given = None if upscaled is None else _given(upscaled, name, image, scale)
        for places in alike.values():
            first = procedures[places[0]]
            if given is None:
                planes = _degraded(cropped, first, scale, network)
            else:
                planes = _planes(cropped, first.planes), _planes(given, first.planes)
            for place in places:
                errors[place].append(_error(*planes, procedures[place], scale))
    return [_average(found, procedure.average) for found, procedure in zip(errors, procedures, strict=True)]


def _given(upscaled: Mapping[str, Image], name: str, image: Image, scale: int) -> Image:
    """Return the enlarged image from a file, cut to a multiple of the scale."""
    if name not in upscaled:
        raise DataError(f"{name}: must be among the enlarged images, but there are {', '.join(upscaled) or 'none'}")
    given = upscaled[name]
    cut = modcrop(image, scale).shape[:2]
    if given.shape[:2] not in (cut, image.shape[:2]):
        raise DataError(
            f"{name}: the enlarged image must have {cut[1]}x{cut[0]} pixels, but has {given.shape[1]}x{given.shape[0]}"
        )
    return given[: cut[0], : cut[1]]


def _colour(image: Image) -> Image:
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def _planes(image: Image, kind: str) -> Planes:
    """Return the planes of a uint8 image that are measured, rounded to 8 bits: (height, width, 1 or 3), in [0, 1]."""
    if kind == "rgb":
        return _colour(image) / 255.0
    if kind == "y" or image.ndim == 2:
        return luma(image)[:, :, None] / 255.0
    rounded: Planes = np.floor(image.astype(np.float64) @ _JPEG + 0.5)
    return rounded[:, :, None] / 255.0


def _degraded(image: Image, procedure: Procedure, scale: int, network: SRCNN | None) -> tuple[Planes, Planes]:
    """Return the original's planes and the enlarged planes, (height, width, channels) in about [0, 1]."""
    target = _planes(image, procedure.planes)
    if procedure.first == "rgb":
        small, large = shrink_and_enlarge(_colour(image) / 255.0, scale, procedure.resizing)
        if procedure.planes != "rgb":
            small, large = (_planes(np.rint(p * 255.0).astype(np.uint8), procedure.planes) for p in (small, large))
    else:
        small, large = shrink_and_enlarge(target, scale, procedure.resizing)
    if network is None:
        return target, large
    if procedure.planes == "rgb":
        low, high = ((p @ _BT601 + 16.0 / 255.0)[:, :, None] for p in (small, large))
        return target, large + _LUMA_TO_RGB * (_enlarged(network, low, high, target, scale) - high)
    return target, _enlarged(network, small, large, target, scale)


def _enlarged(network: SRCNN, small: Planes, large: Planes, target: Planes, scale: int) -> Planes:
    single = [plane.astype(np.float32) for plane in (small, large, target)]
    return reconstruct(network, Degraded("", single[0], single[1], single[2], scale)).astype(np.float64)


def _error(target: Planes, result: Planes, procedure: Procedure, scale: int) -> float:
    """Return the mean squared error of one image, on levels 0..255."""
    border = scale if procedure.border is None else procedure.border
    wanted, got = shave(target, border) * 255.0, shave(result, border) * 255.0
    if procedure.rounding == "8 bits":
        got = np.floor(got + 0.5)
    if procedure.rounding != "none":
        got = np.clip(got, 0.0, 255.0)
    return float(np.mean((wanted - got) ** 2))


def _average(errors: Sequence[float], kind: str) -> float:
    def psnr(mse: float) -> float:
        return 10.0 * math.log10(255.0**2 / mse) if 0 < mse < math.inf else decibels(mse)

    return psnr(float(np.mean(errors))) if kind == "mse" else float(np.mean([psnr(mse) for mse in errors]))
