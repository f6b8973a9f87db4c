"""`ImageSet`, images in memory with a digest, and the split into training and held-out images."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import DataError

__all__ = ["ImageSet", "NamedImage", "pixel_digest", "split", "without"]

NamedImage = tuple[str, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images in a fixed order. Each has a name and a uint8 array: (height, width) grey or (height, width, 3) RGB."""

    name: str
    images: tuple[NamedImage, ...]
    skipped: tuple[str, ...] = ()  #: files that could not be decoded and were skipped on request

    def __len__(self) -> int:
        return len(self.images)

    @property
    def source(self) -> dict[str, str]:
        """Description of the set in the record of a run: name, digest and number of images."""
        return {"name": self.name, "digest": self.digest, "images": str(len(self))}

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of a hash over names, shapes and pixels of the images, in order."""
        total = hashlib.sha256()
        for name, image in self.images:
            total.update(f"{name}:{pixel_digest(image)};".encode())
        return total.hexdigest()[:16]


def split(
    images: ImageSet,
    validation: int,
    seed: int,
    *,
    together: Collection[Collection[str]] = (),
    leave_out: Collection[str] = (),
) -> tuple[ImageSet, ImageSet]:
    """Hold out ``validation`` whole images at random. Return (remaining, held out), both in the order of the set.

    The random order depends only on the seed and the names, not on the order of the images. All images of a group go to the
    same side. Images are held out in random order together with their groups. A group larger than the number still to be held
    out is skipped and used for training. So if the random order alone divides no group, its result is unchanged. Otherwise
    ``validation`` images are held out, or fewer if whole groups do not allow this number.

    Args:
        images: the set.
        validation: number of images to hold out.
        seed: random seed.
        together: disjoint groups of names, as found by `srcnn.overlap.pairs.same_photograph`.
        leave_out: names that go to neither side.

    Raises:
        DataError: ``validation`` is below 1 or leaves no training image, or every group is too large to be held out.
    """
    names = [name for name, _ in images.images]
    total = len(set(names) - set(leave_out))
    if not 1 <= validation < total:
        less = f" (of {len(names)}, the others left out)" if total < len(names) else ""
        raise DataError(f"{images.name}: `1 <= validation < {total} images`{less} must hold, but got {validation}")
    groups = {name: set(group) - set(leave_out) for group in together for name in group}
    drawn = [sorted(names)[place] for place in np.random.default_rng(seed).permutation(len(names))]
    held: set[str] = set()
    for name in drawn:
        group = groups.get(name, {name})
        if name not in leave_out and name not in held and len(held) + len(group) <= validation:
            held |= group
    if not held:
        raise DataError(
            f"{images.name}: every group of images of one photograph has more images than are to be held out, {validation}"
        )
    train, out = (
        tuple(pair for pair in images.images if pair[0] not in leave_out and (pair[0] in held) == wanted)
        for wanted in (False, True)
    )
    return ImageSet(f"{images.name}[train]", train, images.skipped), ImageSet(f"{images.name}[validation]", out)


def without(images: ImageSet, held_out: ImageSet) -> ImageSet:
    """Return the images of a set whose pixels differ from those of all held-out images, whatever their names."""
    known = {pixel_digest(image) for _, image in held_out.images}
    left = tuple(pair for pair in images.images if pixel_digest(pair[1]) not in known)
    return images if len(left) == len(images) else ImageSet(f"{images.name}[train]", left, images.skipped)


def pixel_digest(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the shape and the pixels of an image, as hexadecimal digits."""
    shape = "x".join(map(str, image.shape))
    return hashlib.sha256(f"{shape}:".encode() + image.tobytes()).hexdigest()
