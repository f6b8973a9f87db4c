"""Leaks between training, validation and test sets: found by content and left out.

A leak is a training image that shows the photograph of a test or validation image, or a validation image that shows the
photograph of a test image. `divide` splits a set without leaks. On request leaks are kept, and then every metric of the run is
marked. Only image contents are compared: no metric of a test set is read, and none affects which images are left out.
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

LEFT_OUT, KEPT = "data.left_out", "data.overlap"  # tags of an MLflow run
MARK = "†"  #: marks a test set with images that were used for training or model selection
_TAG = 4000  # maximum characters of a tag; MLflow accepts 5,000
_NAMED = 5  # maximum number of leaks named in a sentence; the others are counted


@dataclass(frozen=True)
class Leak:
    """An image that shows the photograph of a test or validation image."""

    image: str  #: name of the image in its set
    shows: str  #: name of the test or validation image
    of: str  #: name of the set of the test or validation image
    kind: str  #: kind of that set: ``test`` or ``validation``
    similarity: float  #: similarity as in `srcnn.overlap.pairs.Overlap`
    scale: float  #: pixels of the test or validation image per pixel of the image
    mirrored: bool = False

    def __str__(self) -> str:
        turned = ", mirrored" if self.mirrored else ""
        what = "" if self.kind == "test" else f" ({self.kind})"
        return f"{self.image} shows {self.shows} of {self.of}{what} at scale {self.scale:.2f}{turned}"


@dataclass(frozen=True)
class Divided:
    """A set split into two parts, and its leaks."""

    training: ImageSet
    validation: ImageSet | None  #: None if no image was held out
    left_out: tuple[Leak, ...]
    kept: tuple[Leak, ...]  #: leaks kept on request


def leaks(images: ImageSet, others: Sequence[ImageSet], kind: str) -> tuple[Leak, ...]:
    """Return the leaks of a set to other sets of the kind ``test`` or ``validation``."""
    return tuple(
        Leak(pair.first, pair.second, other.name, kind, pair.similarity, pair.scale, pair.mirrored)
        for other in others
        for pair in overlaps(images, other)
    )


def divide(
    images: ImageSet, validation: int, seed: int, tests: Sequence[ImageSet], *, allow_overlap: bool = False
) -> Divided:
    """Split a set with `srcnn.data.image_set.split`, without leaks to the test sets or between both parts.

    Args:
        images: the set.
        validation: number of images to hold out; 0: none.
        seed: random seed of the split.
        tests: the sets for the final evaluation.
        allow_overlap: keep images that show a test image.

    Raises:
        DataError: too few images remain.
    """
    found = leaks(images, tests, "test")
    out = () if allow_overlap else tuple(dict.fromkeys(leak.image for leak in found))
    left_out, kept = ((), found) if allow_overlap else (found, ())
    if len(out) == len(images):
        raise DataError(
            f"{images.name}: no training image remains, since every image shows a test image, such as {found[0]}; "
            "--allow-overlap keeps them"
        )
    if validation:
        parts = split(images, validation, seed, together=same_photograph(images), leave_out=out)
        return Divided(*parts, left_out, kept)
    return Divided(_less(images, out), None, left_out, kept)


def trained_on(
    images: ImageSet, pool: ImageSet, validation: ImageSet, tests: Sequence[ImageSet], *, allow_overlap: bool = False
) -> Divided:
    """Return the images of a set that may be used for training if the validation images come from another set.

    Args:
        images: the whole set. Images with the same pixels as a validation image are always removed.
        pool: the whole set that contains the validation images. Whole sets are compared, so that the cached result is valid
            for every seed.
        validation: the images held out from ``pool``.
        tests: the sets for the final evaluation.
        allow_overlap: keep the other leaks.

    Returns:
        The training images, the unchanged validation images, and the leaks.

    Raises:
        DataError: no training image remains.
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
            f"{images.name}: no training image remains without the {len(validation)} held out and those that show a test or "
            "validation image"
        )
    return Divided(left, validation, found, ())


def _less(images: ImageSet, out: Sequence[str]) -> ImageSet:
    if not out:
        return images
    left = tuple(pair for pair in images.images if pair[0] not in out)
    return ImageSet(f"{images.name.removesuffix('[train]')}[train]", left, images.skipped)


def lines(left_out: Sequence[Leak], kept: Sequence[Leak], flag: str = "--allow-overlap") -> list[str]:
    """Return messages about the leaks for the user, one sentence each; none if there are no leaks.

    ``flag``: the option by which leaks were kept.
    """
    found = []
    if left_out:
        found.append(f"left out, since they show what is measured: {_named(left_out)}")
    if kept:
        found.append(f"kept on request ({flag}), so figures marked {MARK} are too high: {_named(kept)}")
    return found


def footnote(kept: Sequence[Leak]) -> str:
    """Return the explanation of `MARK`; empty if no leak was kept."""
    return f"{MARK} measured on photographs that were trained on or chosen by: {_named(kept)}." if kept else ""


def marked(name: str, kept: Sequence[Leak]) -> str:
    """Return the name of a set, or ``set/image``, followed by `MARK` if leaks to it were kept."""
    of = {leak.of for leak in kept} | {f"{leak.of}/{leak.shows}" for leak in kept}
    return f"{name} {MARK}" if name in of else name


def _named(found: Sequence[Leak]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(map(str, found[:_NAMED])) + more


def tags(left_out: Sequence[Leak], kept: Sequence[Leak]) -> dict[str, str]:
    """Return the tags of an MLflow run, ``data.left_out`` and ``data.overlap``: non-empty JSON lists of leaks.

    A list that is too long for a tag is truncated, and its last item contains the number of omitted leaks.
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
    """Read the tags written by `tags`: (left out, kept)."""
    left_out, kept = (
        tuple(Leak(**item) for item in json.loads(given.get(name, "[]")) if "image" in item)
        for name in (LEFT_OUT, KEPT)
    )
    return left_out, kept
