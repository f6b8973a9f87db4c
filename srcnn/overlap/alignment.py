"""Two images laid over each other: where one lies in the other, to a fraction of a pixel, and how alike they are there.

The place is refined by Gauss-Newton steps on the difference of brightness (Lucas and Kanade, IJCAI 1981), first on blurred
images, then on sharper ones; scale and shift along each axis are free, for a size rounded to whole pixels changes the
proportions a little. What counts is the correlation of the details, which a sky and a shadow do not share by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Alignment", "Placement", "align"]

Floats = NDArray[np.float32]

_SAMPLES = 96  # of the longer side of what both show
_SHORTEST = 12  # samples of the shorter side below which nothing is claimed
_BLURS = (2.5, 2.5, 2.5, 1.2, 1.2, 1.2, 0.7, 0.7)  # one for each step, in samples
_DETAIL = 4.0  # samples; what is coarser is no detail
_FLAT = 1.0  # levels of 255: details weaker than this prove nothing


@dataclass(frozen=True)
class Placement:
    """Where the point (x, y) of image a lies in image b: (``scale_x * x + shift_x``, ``scale_y * y + shift_y``).

    In pixels, the first one's centre is 0; ``scale_x`` is negative where b is mirrored.
    """

    scale_x: float
    scale_y: float
    shift_x: float
    shift_y: float

    @property
    def scale(self) -> float:
        """Pixels of b for one of a, of both axes."""
        return float(np.sqrt(abs(self.scale_x) * self.scale_y))


@dataclass(frozen=True)
class Alignment:
    """How well a placement fits."""

    placement: Placement
    similarity: float  #: correlation of the details, -1 to 1
    overall: float  #: correlation of the brightness, -1 to 1
    share: float  #: of the smaller image, the part that both show, 0 to 1


def _common(a: Floats, b: Floats, p: Placement) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom in a's pixels of what both show; None: nothing."""
    columns = sorted((-p.shift_x / p.scale_x, (b.shape[1] - 1 - p.shift_x) / p.scale_x))
    left, right = max(0.0, columns[0]), min(a.shape[1] - 1.0, columns[1])
    top, bottom = max(0.0, -p.shift_y / p.scale_y), min(a.shape[0] - 1.0, (b.shape[0] - 1 - p.shift_y) / p.scale_y)
    return (left, top, right, bottom) if right > left and bottom > top else None


class _Samples:
    """Both images on one grid over what they share."""

    def __init__(self, a: Floats, b: Floats, p: Placement, box: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = box
        step = max((right - left) / _SAMPLES, (bottom - top) / _SAMPLES, 1.0, 1.0 / p.scale)
        self.x = np.arange(left + step / 2, right, step, dtype=np.float32)
        self.y = np.arange(top + step / 2, bottom, step, dtype=np.float32)
        self.step, self._b_step = step, step * p.scale
        self._a = _thinned(a, step)
        self._b = _thinned(b, self._b_step)

    def first(self) -> Floats:
        """Image a."""
        return _sampled(self._a, self.x, self.y)

    def second(self, p: Placement) -> Floats:
        """Image b as a placement has it."""
        return _sampled(self._b, p.scale_x * self.x + p.shift_x, p.scale_y * self.y + p.shift_y)


def _thinned(image: Floats, step: float) -> Floats:
    """Blurred enough to be sampled at a step."""
    if step < 1.2:
        return image
    blurred: Floats = ndimage.gaussian_filter(image, 0.5 * (step**2 - 1) ** 0.5, mode="nearest", truncate=3.0)
    return blurred


def _sampled(image: Floats, x: Floats, y: Floats) -> Floats:
    """Bilinear, separable; outside, the nearest pixel."""

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
    """The box that both show, and samples of it; None: it is too small to compare."""
    box = _common(a, b, p)
    if box is None:
        return None
    samples = _Samples(a, b, p, box)
    return (box, samples) if min(len(samples.x), len(samples.y)) >= _SHORTEST else None


def align(a: Floats, b: Floats, start: Placement) -> Alignment | None:
    """Refine a placement and tell how alike the images are; None: too little in common to tell.

    Args:
        a: brightness, (height, width), 0 to 255.
        b: another one.
        start: the placement, off by at most some hundredths of the common part.
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
    """``move``: shift and stretch of a's samples along x, then y, that would lay b's details on a's."""
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
