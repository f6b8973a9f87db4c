"""Alignment of two images with sub-pixel accuracy, and their similarity in the common region.

The placement is refined by Gauss-Newton steps on the brightness difference (Lucas and Kanade, IJCAI 1981), first on blurred
images, then on sharper ones. Scale and shift are estimated for each axis, because rounding a size to whole pixels changes
the aspect ratio slightly. The decisive value is the correlation of the details, which is not high by chance for smooth content
such as sky or shadow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Alignment", "Placement", "align"]

Floats = NDArray[np.float32]

_SAMPLES = 96  # along the longer side of the common region
_SHORTEST = 12  # minimum number of samples along the shorter side
_BLURS = (2.5, 2.5, 2.5, 1.2, 1.2, 1.2, 0.7, 0.7)  # sigma of the blur in each step, in samples
_DETAIL = 4.0  # sigma of the high-pass filter for details, in samples
_FLAT = 1.0  # minimum standard deviation of the details, in levels of 255


@dataclass(frozen=True)
class Placement:
    """A mapping from image a to image b: point (x, y) maps to (``scale_x * x + shift_x``, ``scale_y * y + shift_y``).

    Coordinates are in pixels; the centre of the first pixel is 0. ``scale_x`` is negative if b is mirrored.
    """

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float

    @property
    def scale(self) -> float:
        """Pixels of b per pixel of a: the geometric mean over both axes."""
        return float(np.sqrt(abs(self.scale_x) * self.scale_y))


@dataclass(frozen=True)
class Alignment:
    """A placement and the similarity of both images there."""

    placement: Placement
    similarity: float  #: correlation of the details, -1 to 1
    overall: float  #: correlation of the brightness, -1 to 1
    share: float  #: common region as a fraction of the smaller image, 0 to 1


def _common(a: Floats, b: Floats, p: Placement) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of the common region, in pixels of a; None if there is none."""
    columns = sorted((-p.shift_x / p.scale_x, (b.shape[1] - 1 - p.shift_x) / p.scale_x))
    left, right = max(0.0, columns[0]), min(a.shape[1] - 1.0, columns[1])
    top, bottom = max(0.0, -p.shift_y / p.scale_y), min(a.shape[0] - 1.0, (b.shape[0] - 1 - p.shift_y) / p.scale_y)
    return (left, top, right, bottom) if right > left and bottom > top else None


class _Samples:
    """Samples of both images on one grid over the common region."""

    def __init__(self, a: Floats, b: Floats, p: Placement, box: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = box
        step = max((right - left) / _SAMPLES, (bottom - top) / _SAMPLES, 1.0, 1.0 / p.scale)
        self.x = np.arange(left + step / 2, right, step, dtype=np.float32)
        self.y = np.arange(top + step / 2, bottom, step, dtype=np.float32)
        self.step, self._b_step = step, step * p.scale
        self._a = _thinned(a, step)
        self._b = _thinned(b, self._b_step)

    def first(self) -> Floats:
        """Return the samples of image a."""
        return _sampled(self._a, self.x, self.y)

    def second(self, p: Placement) -> Floats:
        """Return the samples of image b under a placement."""
        return _sampled(self._b, p.scale_x * self.x + p.shift_x, p.scale_y * self.y + p.shift_y)


def _thinned(image: Floats, step: float) -> Floats:
    """Return the image blurred enough for sampling at a step, in pixels."""
    if step < 1.2:
        return image
    blurred: Floats = ndimage.gaussian_filter(image, 0.5 * (step**2 - 1) ** 0.5, mode="nearest", truncate=3.0)
    return blurred


def _sampled(image: Floats, x: Floats, y: Floats) -> Floats:
    """Sample an image on a grid by bilinear interpolation. Outside the image the nearest pixel is used."""

    def places(at: Floats, side: int) -> tuple[NDArray[np.intp], Floats]:
        at = np.clip(at, 0, side - 1)
        low = np.minimum(at.astype(np.intp), max(side - 2, 0))
        return low, (at - low).astype(np.float32)

    column, right = places(x, image.shape[1])
    row, below = places(y, image.shape[0])
    wide = image[:, column] * (1 - right) + image[:, np.minimum(column + 1, image.shape[1] - 1)] * right
    blended: Floats = wide[row] * (1 - below)[:, None] + wide[np.minimum(row + 1, image.shape[0] - 1)] * below[:, None]
    return blended


def _normal(image: Floats) -> Floats:
    centred = image - image.mean()
    unit: Floats = centred / max(float(np.sqrt((centred**2).mean())), 1e-6)
    return unit


def _details(image: Floats, blur: float) -> Floats:
    sharp = ndimage.gaussian_filter(image, blur, mode="nearest", truncate=3.0) if blur else image
    fine: Floats = sharp - ndimage.gaussian_filter(image, max(2 * blur, _DETAIL), mode="nearest", truncate=3.0)
    return fine


def _shared(a: Floats, b: Floats, p: Placement) -> tuple[tuple[float, float, float, float], _Samples] | None:
    """Return the common region and its samples; None if it is too small to compare."""
    box = _common(a, b, p)
    if box is None:
        return None
    samples = _Samples(a, b, p, box)
    return (box, samples) if min(len(samples.x), len(samples.y)) >= _SHORTEST else None


def align(a: Floats, b: Floats, start: Placement) -> Alignment | None:
    """Refine a placement and measure the similarity of the images; None if the common region is too small.

    Args:
        a: brightness, (height, width), 0 to 255.
        b: brightness of the other image.
        start: initial placement, with an error of at most a few hundredths of the common region.
    """
    p = start
    common = _shared(a, b, p)
    if common is None:
        return None
    _, samples = common
    first = samples.first()
    u = (samples.x - samples.x.mean()) / samples.step
    v = ((samples.y - samples.y.mean()) / samples.step)[:, None]
    for blur in _BLURS:
        fine = _normal(_details(first, blur))
        second = _normal(_details(samples.second(p), blur))
        down, along = np.gradient((fine + second) / 2)
        slopes = np.stack([s.ravel() for s in (along, along * u, down, down * v)], axis=1)
        normal = slopes.T @ slopes
        normal[np.diag_indices(4)] *= 1.001
        move = np.linalg.solve(normal.astype(np.float64) + 1e-9 * np.eye(4), slopes.T @ (fine - second).ravel())
        p = _moved(p, move, samples)
        if not 0.5 * start.scale < p.scale < 2 * start.scale or p.scale_x * start.scale_x <= 0:
            return None
    return _judged(a, b, p)


def _moved(p: Placement, move: NDArray[np.float64], samples: _Samples) -> Placement:
    """Return the placement after a Gauss-Newton step.

    ``move``: shift and stretch of the samples of a along x, then y, that would align the details of b with those of a.
    """
    shift_x, stretch_x, shift_y, stretch_y = (float(m) for m in np.clip(move, -2.0, 2.0))
    step, x, y = samples.step, float(samples.x.mean()), float(samples.y.mean())
    # b(p(x + d(x))) = a(x), with d(x) = shift * step + stretch * (x - mean)
    return Placement(
        p.scale_x * (1 + stretch_x),
        p.scale_y * (1 + stretch_y),
        p.shift_x + p.scale_x * (shift_x * step - stretch_x * x),
        p.shift_y + p.scale_y * (shift_y * step - stretch_y * y),
    )


def _judged(a: Floats, b: Floats, p: Placement) -> Alignment | None:
    common = _shared(a, b, p)
    if common is None:
        return None
    box, samples = common
    area = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
    share = area / min(a.size, b.size / p.scale**2)
    first, second = samples.first(), samples.second(p)
    fine, other = _details(first, 0.7), _details(second, 0.7)
    flat = min(float(fine.std()), float(other.std())) < _FLAT
    similarity = 0.0 if flat else float((_normal(fine) * _normal(other)).mean())
    return Alignment(p, similarity, float((_normal(first) * _normal(second)).mean()), min(1.0, share))
