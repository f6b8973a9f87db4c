"""Local features of an image for one task: finding images of the same photograph.

The features are blobs of a difference-of-Gaussians pyramid (Lowe, IJCV 2004, section 3). Each is described by an upright
patch of 8x8 samples of the blurred image, twelve times as wide as the blob's size (Brown, Szeliski and Winder, CVPR 2005). Two
deviations make it fast enough to compare hundreds of images on one core in seconds: an image is halved until its shorter side
is below 300 pixels, and there is no orientation, because copies of a photograph are scaled, cropped and mirrored but not
rotated. A patch is stored as cosine (DCT) coefficients. The coefficients that change their sign in a mirrored patch are kept
separately, so that one comparison finds a match and its mirror image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.fft import dctn

__all__ = ["EVEN", "ODD", "Features", "features", "luma", "whole_code", "working_image"]

Floats = NDArray[np.float32]

_SIDE = 300  # upper bound of the shorter side of a working image, in pixels
_STEPS = 3  # levels per octave
_SIGMA = 1.6  # sigma of the first level, in pixels of the working image
_QUOTA = (110, 60, 30)  # strongest blobs kept per octave: coarse blobs are few and the most robust to scaling
_CONTRAST = 1.2  # minimum contrast, in levels of 255: weaker blobs are noise
_EDGE = 12.0  # maximum ratio of principal curvatures: above it a blob is an edge
_GRID = 8  # samples per side of a patch
_SPACING = 1.5  # spacing of the samples, in sigmas of the blob
_KEPT = 6  # cosine coefficients per side
_COLUMNS = np.tile(np.arange(_KEPT), _KEPT)[1:]  # horizontal frequency of each coefficient, without the mean
_WEIGHTS = np.hypot(_COLUMNS, np.repeat(np.arange(_KEPT), _KEPT)[1:]).astype(
    np.float32
)  # gives all frequencies equal weight
EVEN, ODD = np.flatnonzero(_COLUMNS % 2 == 0), np.flatnonzero(_COLUMNS % 2)


@dataclass(frozen=True)
class Features:
    """The blobs of an image, in pixels of the original image."""

    x: Floats  #: (n,) column of the blob centres; the centre of the first pixel is 0
    y: Floats  #: (n,) row of the blob centres
    size: Floats  #: (n,) sigma of the blobs
    code: Floats  #: (n, 35) cosine coefficients of the patches, unit length; mirroring negates the columns `ODD`, not `EVEN`

    def __len__(self) -> int:
        return len(self.x)


def luma(image: NDArray[np.uint8]) -> Floats:
    """Return the brightness, 0 to 255, of a uint8 image (height, width) or (height, width, 3)."""
    if image.ndim == 2:
        return image.astype(np.float32)
    return (image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)


def _halved(plane: Floats) -> Floats:
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    rows = plane[0:height:2] + plane[1:height:2]
    half: Floats = (rows[:, 0:width:2] + rows[:, 1:width:2]) * np.float32(0.25)
    return half


def working_image(plane: Floats) -> tuple[Floats, int]:
    """Halve a plane until its shorter side is below 300 pixels. Return the result and the reduction factor."""
    factor = 1
    while min(plane.shape) >= _SIDE:
        plane, factor = _halved(plane), 2 * factor
    return plane, factor


def features(plane: Floats) -> Features:
    """Find the blobs of a brightness plane (height, width), 0 to 255. A flat or too small plane has none."""
    plane, factor = working_image(plane)
    found: list[tuple[Floats, Floats, Floats, Floats]] = []
    image, before = plane, 0.5  # assumed blur of a camera image, in pixels
    for quota in _QUOTA:
        if min(image.shape) < _GRID * _SPACING * _SIGMA:
            break
        sigmas = [_SIGMA * 2 ** (step / _STEPS) for step in range(_STEPS + 3)]
        levels = []
        for sigma in sigmas:
            image = ndimage.gaussian_filter(image, (sigma**2 - before**2) ** 0.5, mode="nearest", truncate=3.0)
            levels.append(image)
            before = sigma
        x, y, level, strength = _blobs(levels)
        if len(x) > quota:
            best = np.argpartition(-strength, quota)[:quota]
            x, y, level = x[best], y[best], level[best]
        if len(x):
            size = np.asarray(sigmas, np.float32)[level]
            code, kept = _codes(levels, x, y, level, size)
            shift = np.float32((factor - 1) / 2)
            x, y, size = x[kept], y[kept], size[kept]
            found.append((x * factor + shift, y * factor + shift, size * factor, code))
        image, before = _halved(levels[_STEPS]), _SIGMA  # this level has twice the sigma of the first one
        factor *= 2
    if not found:
        none = np.zeros(0, np.float32)
        return Features(none, none, none, np.zeros((0, _KEPT**2 - 1), np.float32))
    return Features(*(np.concatenate(parts).astype(np.float32) for parts in zip(*found, strict=True)))


def _blobs(levels: list[Floats]) -> tuple[Floats, Floats, NDArray[np.intp], Floats]:
    """Return columns, rows, levels and strengths of the extrema over position and scale, without edges."""
    stack = np.stack([b - a for a, b in pairwise(levels)])
    strong = np.abs(stack[1:-1]) > _CONTRAST
    strong[:, [0, -1]] = strong[:, :, [0, -1]] = False
    at = np.nonzero(strong)
    z, y, x = at[0] + 1, at[1], at[2]
    value = stack[z, y, x]
    sign = np.sign(value)
    best = np.ones(len(x), bool)
    for dz, dy, dx in [(0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (-1, 0, 0), (1, 0, 0)] + [
        (dz, dy, dx) for dz in (-1, 0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if abs(dz) + abs(dy) + abs(dx) > 1
    ]:
        alive = np.flatnonzero(best)
        best[alive] = sign[alive] * (value[alive] - stack[z[alive] + dz, y[alive] + dy, x[alive] + dx]) > 0
    z, y, x, value = z[best], y[best], x[best], value[best]
    xx = stack[z, y, x + 1] + stack[z, y, x - 1] - 2 * value
    yy = stack[z, y + 1, x] + stack[z, y - 1, x] - 2 * value
    xy = (stack[z, y + 1, x + 1] + stack[z, y - 1, x - 1] - stack[z, y + 1, x - 1] - stack[z, y - 1, x + 1]) / 4
    round_ = (xx + yy) ** 2 * _EDGE < (_EDGE + 1) ** 2 * (xx * yy - xy**2)
    z, y, x, value = z[round_], y[round_], x[round_], value[round_]
    return x.astype(np.float32), y.astype(np.float32), z, np.abs(value)


def _codes(
    levels: list[Floats], x: Floats, y: Floats, level: NDArray[np.intp], size: Floats
) -> tuple[Floats, NDArray[np.intp]]:
    """Return the coefficients (n, 35) of the patches inside the image and the indices of these blobs.

    The outermost samples of a patch may lie outside.
    """
    height, width = levels[0].shape
    steps = (np.arange(_GRID) - (_GRID - 1) / 2) * _SPACING
    reach = size * (steps[-1] - _SPACING)
    inside = (x - reach > -1) & (y - reach > -1) & (x + reach < width) & (y + reach < height)
    kept = np.flatnonzero(inside)
    code = np.zeros((len(kept), _KEPT**2 - 1), np.float32)
    for number, image in enumerate(levels):
        chosen = np.flatnonzero(level[kept] == number)
        if len(chosen):
            at = kept[chosen]
            offsets = steps[None] * size[at, None]
            rows, columns = y[at, None] + offsets, x[at, None] + offsets
            places = np.broadcast_arrays(rows[:, :, None], columns[:, None, :])
            patch = ndimage.map_coordinates(image, np.stack(places), order=1, mode="nearest")
            code[chosen] = _code(patch)
    return code, kept


def _code(patch: Floats) -> Floats:
    """Return the coefficients (n, 35) of patches (n, 8, 8), with unit length.

    The weights compensate for the decrease of coefficients with frequency in photographs.
    """
    waves = dctn(patch, axes=(1, 2), norm="ortho")[:, :_KEPT, :_KEPT].reshape(len(patch), -1)[:, 1:] * _WEIGHTS
    unit: Floats = waves / np.maximum(np.linalg.norm(waves, axis=1, keepdims=True), 1e-6)
    return unit


def whole_code(plane: Floats) -> Floats:
    """Return the coefficients (35,) of a whole plane (height, width), treated as one patch: a descriptor of the whole image."""
    height, width = plane.shape
    blurred = ndimage.gaussian_filter(plane, (height / _GRID / 2, width / _GRID / 2), mode="nearest", truncate=2.0)
    rows, columns = (((np.arange(_GRID) + 0.5) * side / _GRID - 0.5) for side in (height, width))
    places = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    patch: Floats = ndimage.map_coordinates(blurred, places, order=1, mode="nearest")
    code: Floats = _code(patch[None])[0]
    return code
