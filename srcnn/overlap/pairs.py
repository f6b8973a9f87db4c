"""Pairs of images that show the same photograph: `overlaps` between two sets, `duplicates` within one.

A copy is found if it is scaled by 0.5 to 1.5, cropped to half of its width and height, mirrored, stored as JPEG, or all of
these. It is not found if it is rotated or partly covered by other content. Candidates come from `srcnn.overlap.matching`. Each
pair is aligned (`srcnn.overlap.alignment`), and the correlation of the details in the common region decides. Content without
details, such as a clear sky, is reported only if all pixels are equal. The time grows with the square of the number of images;
410 images take 8 seconds of one core. Results are cached by the digests of the sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import combinations
from weakref import WeakKeyDictionary

from srcnn.data.image_set import ImageSet
from srcnn.overlap.alignment import Placement, align
from srcnn.overlap.matching import Described, candidates, describe
from srcnn.system.atomic_file import atomic_write
from srcnn.system.bounded_read import parse_json, read_text
from srcnn.system.folders import cache_folder

__all__ = ["SIMILAR", "Overlap", "duplicates", "overlaps", "same_photograph"]

_LAYOUT = "1"  # version of the method and the cache format; a new number invalidates old results
#: Minimum correlation of details of two images of the same photograph. Copies have 0.99, other photographs are below 0.5. Values
#: between are different parts of one photograph with repetitive content, such as bricks or coins.
SIMILAR = 0.85
_SHARE = 0.1  # minimum common region, as a fraction of the smaller image

_described: WeakKeyDictionary[ImageSet, tuple[Described, ...]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Overlap:
    """Two images that show the same photograph."""

    first: str  #: name of the image in the first set
    second: str  #: name of the image in the second set
    similarity: float  #: correlation of the details in the common region, `SIMILAR` to 1
    scale: float  #: pixels of the second image per pixel of the first
    mirrored: bool
    share: float  #: common region as a fraction of the smaller image, 0 to 1

    def __str__(self) -> str:
        more = ", mirrored" if self.mirrored else ""
        part = "" if self.share > 0.98 else f", {self.share:.0%} of the smaller image"
        return f"similarity {self.similarity:.3f}, scale {self.scale:.2f}{more}{part}"


def overlaps(a: ImageSet, b: ImageSet) -> tuple[Overlap, ...]:
    """Return all pairs of an image of a and an image of b that show the same photograph, in the order of the sets."""
    return _cached(a, b)


def duplicates(images: ImageSet) -> tuple[Overlap, ...]:
    """Return all pairs of images of one set that show the same photograph, in the order of the set."""
    return _cached(images, None)


def same_photograph(images: ImageSet) -> tuple[frozenset[str], ...]:
    """Return groups of two or more image names that show one photograph, as `srcnn.data.image_set.split` takes them."""
    groups: list[set[str]] = []
    for pair in duplicates(images):
        joined = {pair.first, pair.second}
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return tuple(frozenset(group) for group in groups)


def _cached(a: ImageSet, b: ImageSet | None) -> tuple[Overlap, ...]:
    key = hashlib.sha256("|".join([_LAYOUT, a.digest, "" if b is None else b.digest]).encode()).hexdigest()[:32]
    file = cache_folder() / f"overlap-{key}.json"
    with suppress(OSError, ValueError, TypeError):  # missing or damaged
        return tuple(Overlap(**pair) for pair in parse_json(read_text(file)))
    found = _find(a, b)
    with suppress(OSError):  # a full or read-only disk: return the result without caching it
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps([asdict(pair) for pair in found]) + "\n", encoding="utf-8")
    return found


def _describe(images: ImageSet) -> tuple[Described, ...]:
    """Return the descriptions of the images; cached while the set exists."""
    if images not in _described:
        _described[images] = tuple(describe(image) for _, image in images.images)
    return _described[images]


def _find(a: ImageSet, b: ImageSet | None) -> tuple[Overlap, ...]:
    other = a if b is None else b
    found = {(i, j): _overlap(a, other, i, j, 1.0, 1.0, False, 1.0) for i, j in _identical(a, b)}
    exact = set(found)
    left, right = _describe(a), _describe(other)
    for candidate in candidates(left, None if b is None else right):
        i, j = pair = candidate.first, candidate.second
        if pair in exact:
            continue
        one, two = left[i], right[j]
        result = align(one.plane, two.plane, _between(candidate.placement, 1 / one.factor, 1 / two.factor))
        if result is None or result.similarity < SIMILAR or result.share < _SHARE:
            continue
        place = _between(result.placement, one.factor, two.factor)
        pictured = _overlap(a, other, i, j, result.similarity, place.scale, place.scale_x < 0, result.share)
        if pair not in found or found[pair].similarity < pictured.similarity:
            found[pair] = pictured
    return tuple(found[pair] for pair in sorted(found))


def _overlap(
    a: ImageSet, b: ImageSet, i: int, j: int, similarity: float, scale: float, mirrored: bool, share: float
) -> Overlap:
    names = a.images[i][0], b.images[j][0]
    return Overlap(*names, round(min(similarity, 1.0), 4), round(scale, 4), mirrored, round(share, 4))


def _identical(a: ImageSet, b: ImageSet | None) -> Sequence[tuple[int, int]]:
    """Return pairs of images with identical pixels, which are reported even without details."""

    def prints(images: ImageSet) -> list[tuple[tuple[int, ...], bytes]]:
        return [(image.shape, hashlib.sha256(image.tobytes()).digest()) for _, image in images.images]

    one = prints(a)
    if b is None:
        return [(i, j) for i, j in combinations(range(len(one)), 2) if one[i] == one[j]]
    places: dict[tuple[tuple[int, ...], bytes], list[int]] = {}
    for j, known in enumerate(prints(b)):
        places.setdefault(known, []).append(j)
    return [(i, j) for i, known in enumerate(one) for j in places.get(known, ())]


def _between(p: Placement, a: float, b: float) -> Placement:
    """Return a placement for images scaled by the factors a and b."""

    # Point x of the image scaled by a is point (x + 0.5) / a - 0.5 of the original.
    def axis(scale: float, shift: float) -> tuple[float, float]:
        slope = scale * b / a
        return slope, (scale * (0.5 / a - 0.5) + shift + 0.5) * b - 0.5

    (scale_x, shift_x), (scale_y, shift_y) = axis(p.scale_x, p.shift_x), axis(p.scale_y, p.shift_y)
    return Placement(scale_x, scale_y, shift_x, shift_y)
