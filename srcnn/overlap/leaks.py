"""Images that would be trained on, or chosen by, and show what is measured: found by content and left out.

A leak is a training image that shows the photograph of a test or validation image, or a validation image that shows a test
image's. `divide` splits a set without them; on request they stay, and then every figure of the run carries a mark. Only
contents are compared: no figure of a test set is looked at, and what is left out does not depend on any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from srcnn.data.image_set import ImageSet, split, without
from srcnn.errors import DataError
from srcnn.overlap.pairs import overlaps, same_photograph

__all__ = [
    "MARK",
    "Divided",
    "Leak",
    "divide",
    "footnote",
    "leaks",
    "lines",
    "marked",
    "read_tags",
    "tags",
    "trained_on",
]

LEFT_OUT, KEPT = "data.left_out", "data.overlap"  # tags of a run
MARK = "†"  #: beside a test set some of whose images were trained on or chosen by
_TAG = 4000  # characters of a tag; MLflow takes 5,000
_NAMED = 5  # leaks that are named in a sentence; the others are counted


@dataclass(frozen=True)
class Leak:
    """An image that shows what is measured."""

    image: str  #: its name in its set
    shows: str  #: the name of the test or validation image
    of: str  #: the set that holds that one
    kind: str  #: what that set is: ``test`` or ``validation``
    similarity: float  #: as `srcnn.overlap.pairs.Overlap`
    scale: float  #: pixels of what is shown for one of the image
    mirrored: bool = False

    def __str__(self) -> str:
        turned = ", mirrored" if self.mirrored else ""
        what = "" if self.kind == "test" else f" ({self.kind})"
        return f"{self.image} shows {self.shows} of {self.of}{what} at scale {self.scale:.2f}{turned}"


@dataclass(frozen=True)
class Divided:
    """A set in two parts, and what was found on the way."""

    training: ImageSet
    validation: ImageSet | None  #: None: nothing was to be held out
    left_out: tuple[Leak, ...]
    kept: tuple[Leak, ...]  #: stays on request


def leaks(images: ImageSet, others: Sequence[ImageSet], kind: str) -> tuple[Leak, ...]:
    """Images of a set that show an image of other sets, of the kind ``test`` or ``validation``."""
    return tuple(
        Leak(pair.first, pair.second, other.name, kind, pair.similarity, pair.scale, pair.mirrored)
        for other in others
        for pair in overlaps(images, other)
    )


def divide(
    images: ImageSet, validation: int, seed: int, tests: Sequence[ImageSet], *, allow_overlap: bool = False
) -> Divided:
    """Split a set by `srcnn.data.image_set.split` so that neither part shows a test image, nor training a validation image.

    Args:
        images: the set.
        validation: images to hold out; 0: none.
        seed: of the split.
        tests: the sets that will be measured.
        allow_overlap: keep what shows a test image.

    Raises:
        DataError: too few images are left.
    """
    found = leaks(images, tests, "test")
    out = () if allow_overlap else tuple(dict.fromkeys(leak.image for leak in found))
    left_out, kept = ((), found) if allow_overlap else (found, ())
    if len(out) == len(images):
        raise DataError(
            f"{images.name}: nothing is left to train on, since every image shows a test image, {found[0]} for one; "
            "--allow-overlap keeps them"
        )
    if validation:
        parts = split(images, validation, seed, together=same_photograph(images), leave_out=out)
        return Divided(*parts, left_out, kept)
    return Divided(_less(images, out), None, left_out, kept)


def trained_on(
    images: ImageSet, pool: ImageSet, validation: ImageSet, tests: Sequence[ImageSet], *, allow_overlap: bool = False
) -> Divided:
    """What of a set may be trained on, where the validation images come from a set that may be another.

    Args:
        images: the whole set; those of its images that are held out, pixel by pixel, always leave.
        pool: the whole set that the validation images were drawn from; comparing whole sets makes the cache serve every seed.
        validation: those of its images that were held out.
        tests: the sets that will be measured.
        allow_overlap: keep the others.

    Returns:
        The training images, the validation images as they are, and the leaks.

    Raises:
        DataError: nothing is left.
    """
    held = {name for name, _ in validation.images}
    shown = (replace(leak, of=pool.name) for leak in leaks(images, [pool], "validation") if leak.shows in held)
    rest = without(images, validation)
    there = {name for name, _ in rest.images}
    found = tuple(leak for leak in (*leaks(images, tests, "test"), *shown) if leak.image in there)
    if allow_overlap:
        return Divided(rest, validation, (), found)
    left = _less(rest, [leak.image for leak in found])
    if not len(left):
        raise DataError(
            f"{images.name}: nothing is left to train on once {len(validation)} images are held out and those that show a test "
            "or validation image are left out"
        )
    return Divided(left, validation, found, ())


def _less(images: ImageSet, out: Sequence[str]) -> ImageSet:
    if not out:
        return images
    left = tuple(pair for pair in images.images if pair[0] not in out)
    return ImageSet(f"{images.name.removesuffix('[train]')}[train]", left, images.skipped)


def lines(left_out: Sequence[Leak], kept: Sequence[Leak], flag: str = "--allow-overlap") -> list[str]:
    """What a person should know, a sentence each; empty if there is nothing. ``flag``: what asked for those that are kept."""
    found = []
    if left_out:
        found.append(f"left out, since they show what is measured: {_named(left_out)}")
    if kept:
        found.append(f"kept on request ({flag}), so figures marked {MARK} are too high: {_named(kept)}")
    return found


def footnote(kept: Sequence[Leak]) -> str:
    """What `MARK` means; empty if nothing was kept."""
    return f"{MARK} measured on photographs that were trained on or chosen by: {_named(kept)}." if kept else ""


def marked(name: str, kept: Sequence[Leak]) -> str:
    """A set's name, or ``set/image``, with `MARK` where its figures are of what was kept."""
    of = {leak.of for leak in kept} | {f"{leak.of}/{leak.shows}" for leak in kept}
    return f"{name} {MARK}" if name in of else name


def _named(found: Sequence[Leak]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(map(str, found[:_NAMED])) + more


def tags(left_out: Sequence[Leak], kept: Sequence[Leak]) -> dict[str, str]:
    """Tags of a run, ``data.left_out`` and ``data.overlap``: JSON lists of the leaks, where there are any.

    A list that is too long for a tag is cut, and its last item then says how many more there are.
    """
    return {name: _json(found) for name, found in ((LEFT_OUT, left_out), (KEPT, kept)) if found}


def _json(found: Sequence[Leak]) -> str:
    for count in range(len(found), 0, -1):
        cut = [{"more": len(found) - count}] if count < len(found) else []
        text = json.dumps([*map(asdict, found[:count]), *cut])
        if len(text) <= _TAG:
            return text
    return json.dumps([{"more": len(found)}])


def read_tags(given: Mapping[str, str]) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
    """What `tags` wrote: (left out, kept)."""
    left_out, kept = (
        tuple(Leak(**item) for item in json.loads(given.get(name, "[]")) if "image" in item)
        for name in (LEFT_OUT, KEPT)
    )
    return left_out, kept
