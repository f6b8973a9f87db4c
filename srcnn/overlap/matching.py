"""Candidate pairs for images of the same photograph, with initial placements.

Every feature of every image is compared with all features of the others, by one matrix product per block. Matches that agree
on scale, mirroring and position vote for a placement. Three agreeing matches make a candidate. Small or smooth images have few
features, so pairs with similar whole-image descriptors are candidates as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srcnn.overlap.alignment import Placement
from srcnn.overlap.keypoints import EVEN, ODD, Features, features, luma, whole_code, working_image

__all__ = ["Candidate", "Described", "candidates", "describe"]

Floats = NDArray[np.float32]

_ALIKE = 0.86  # minimum correlation of two patches for a match
_WHOLE = 0.75  # minimum correlation of two whole-image descriptors for a candidate
_PROPORTIONS = 1.06  # maximum ratio of the aspect ratios of such a pair
_VOTES = 3  # minimum number of agreeing matches
_PLACEMENTS = 2  # placements per pair: a repetitive texture fits in several places, one of which is best
_SCALES = 2.5  # maximum scale of a candidate; the minimum is its inverse
_BLOCK = 1 << 23  # comparisons per block, 32 MB


@dataclass(frozen=True)
class Described:
    """The data of an image that is compared."""

    features: Features
    whole: Floats  #: (35,) whole-image descriptor
    shape: tuple[int, int]  #: height and width
    plane: Floats  #: brightness of the working image, 0 to 255
    factor: int  #: reduction factor of the working image


@dataclass(frozen=True)
class Candidate:
    """A pair of images to be compared in detail."""

    first: int
    second: int
    votes: int  #: number of agreeing matches; 0: similar whole-image descriptors
    placement: Placement  #: placement of the first in the second, in pixels of the original images


def describe(image: NDArray[np.uint8]) -> Described:
    """Return the features and the whole-image descriptor of a uint8 image."""
    plane = luma(image)
    small, factor = working_image(plane)
    return Described(features(plane), whole_code(small), (plane.shape[0], plane.shape[1]), small, factor)


def candidates(a: Sequence[Described], b: Sequence[Described] | None = None) -> Iterator[Candidate]:
    """Yield pairs of an image of a and an image of b that may show the same photograph.

    Without b, pairs within a are compared, the lower index first. A pair may appear several times with different placements. The
    pairs with most votes come first.
    """
    within = b is None
    others = a if b is None else b
    yield from _voted(a, others, within)
    yield from _whole(a, others, within)


def _whole(a: Sequence[Described], b: Sequence[Described], within: bool) -> Iterator[Candidate]:
    if not a or not b:
        return
    codes, others = np.stack([one.whole for one in a]), np.stack([one.whole for one in b])
    even, odd = codes[:, EVEN] @ others[:, EVEN].T, codes[:, ODD] @ others[:, ODD].T
    for i, j in np.argwhere(even + np.abs(odd) > _WHOLE):
        (height, width), (high, wide) = a[i].shape, b[j].shape
        skew = wide * height / (width * high)
        if (within and i >= j) or not 1 / _PROPORTIONS < skew < _PROPORTIONS:
            continue
        x, y, mirrored = wide / width, high / height, odd[i, j] < 0
        shift_x = wide - 0.5 - x / 2 if mirrored else x / 2 - 0.5
        yield Candidate(int(i), int(j), 0, Placement(-x if mirrored else x, y, shift_x, y / 2 - 0.5))


def _voted(a: Sequence[Described], b: Sequence[Described], within: bool) -> Iterator[Candidate]:
    one, two = _Pool(a), _Pool(b)
    if not len(one.image) or not len(two.image):
        return
    row, column, mirrored = _matches(one, two, within)
    ratio = two.size[column] / one.size[row]
    kept = (ratio < _SCALES) & (ratio > 1 / _SCALES)
    row, column, mirrored = row[kept], column[kept], mirrored[kept]
    if not len(row):
        return
    pair = one.image[row] * len(b) + two.image[column]
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order], prepend=-1))
    found = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        if end - start >= _VOTES:
            at = order[start:end]
            first, second = divmod(int(pair[at[0]]), len(b))
            for _ in range(_PLACEMENTS):
                placement, chosen, votes = _vote(one, two, row[at], column[at], mirrored[at])
                if placement is not None:
                    found.append(Candidate(first, second, votes, placement))
                at = np.delete(at, chosen)
                if len(at) < _VOTES or votes < _VOTES:
                    break
    yield from sorted(found, key=lambda c: -c.votes)


class _Pool:
    """The features of many images, concatenated."""

    def __init__(self, images: Sequence[Described]) -> None:
        self.x, self.y, self.size, self.code = (
            np.concatenate([getattr(one.features, name) for one in images] or [np.zeros((0, 1), np.float32)])
            for name in ("x", "y", "size", "code")
        )
        self.image = np.repeat(np.arange(len(images)), [len(one.features) for one in images])


def _matches(a: _Pool, b: _Pool, within: bool) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Return the indices of matching features of a and b, and whether each match is mirrored."""
    even, odd = np.ascontiguousarray(b.code[:, EVEN].T), np.ascontiguousarray(b.code[:, ODD].T)
    rows, columns, signs = [], [], []
    size = max(1, min(256, _BLOCK // len(b.image)))
    for start in range(0, len(a.image), size):
        block = a.code[start : start + size]
        # Within a set an image is compared only with later images.
        first = int(np.searchsorted(b.image, a.image[start], side="right")) if within else 0
        alike, turned = block[:, EVEN] @ even[:, first:], block[:, ODD] @ odd[:, first:]
        alike += np.abs(turned)
        row, column = np.nonzero(alike > _ALIKE)
        rows.append(row + start)
        columns.append(column + first)
        signs.append(turned[row, column] < 0)
    row, column, sign = np.concatenate(rows), np.concatenate(columns), np.concatenate(signs)
    kept = a.image[row] < b.image[column] if within else np.ones(len(row), bool)
    return row[kept], column[kept], sign[kept]


def _vote(
    a: _Pool, b: _Pool, row: NDArray[np.intp], column: NDArray[np.intp], mirrored: NDArray[np.bool_]
) -> tuple[Placement | None, NDArray[np.intp], int]:
    """Return the placement on which most matches agree (None: no valid one), these matches, and the number of votes.

    A vote counts distinct features of each image.
    """
    x, y, size, s = a.x[row], a.y[row], a.size[row], np.where(mirrored, -1, 1)
    u, v, ratio = b.x[column], b.y[column], b.size[column] / a.size[row]
    # Each match proposes a scale. The size of a blob is accurate to about a sixth, so positions are compared with this tolerance.
    dx, dy = x[None] - x[:, None], y[None] - y[:, None]
    miss_x = u[None] - u[:, None] - (s * ratio)[:, None] * dx
    miss_y = v[None] - v[:, None] - ratio[:, None] * dy
    slack = ratio[:, None] * (0.18 * np.hypot(dx, dy) + size[None])
    agree = (np.hypot(miss_x, miss_y) < slack) & (mirrored[None] == mirrored[:, None])
    agree &= np.abs(np.log2(ratio[None] / ratio[:, None])) < 0.5
    best = int(agree.sum(axis=1).argmax())
    chosen = np.flatnonzero(agree[best])
    votes = min(len(set(row[chosen].tolist())), len(set(column[chosen].tolist())))
    if votes < _VOTES:
        return None, chosen, votes
    # Least squares over the agreeing matches; if they lie close together, the blob sizes determine the scale.
    x, y, u, v, sign = x[chosen], y[chosen], u[chosen], v[chosen], float(s[best])
    flat_x, flat_y = x - x.mean(), y - y.mean()
    spread = float((flat_x**2 + flat_y**2).sum())
    own = float(np.exp(np.log(ratio[chosen]).mean()))
    weight = 9 * len(chosen) * float((size[chosen] ** 2).mean())
    slope = float((sign * flat_x * (u - u.mean()) + flat_y * (v - v.mean())).sum())
    scale = (slope + weight * own) / (spread + weight)
    if not 1 / _SCALES < scale < _SCALES:
        return None, chosen, votes
    shift_x, shift_y = float(u.mean() - sign * scale * x.mean()), float(v.mean() - scale * y.mean())
    return Placement(sign * scale, scale, shift_x, shift_y), chosen, votes
