"""Section ``overlap``: detection of images of one photograph: time, recall on synthetic overlaps, pairs in real sets.

A synthetic overlap is an image scaled by 0.5 to 1.5, cropped to half to three quarters of its width and height,
mirrored, stored as JPEG of quality 60, or all of these. The thresholds were chosen on images of BSDS300/test and the
sample with another seed; here they are tested on 200 overlaps of other images.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet, NamedImage
from srcnn.errors import DataError
from srcnn.overlap.pairs import SIMILAR, duplicates, overlaps

from _bench.record import Bench

__all__ = ["KINDS", "invent", "run_overlap"]

KINDS = ("scaled", "cropped", "mirrored", "JPEG", "all of it")
_TRAINING, _TEST = ("T91", "BSDS300/train"), ("Set5", "Set14", "BSDS300/test")
_SAMPLE = ("sample/train",), ("sample/test",)
_COUNT, _SEED = 200, 20261125


def invent(image: NDArray[np.uint8], kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a synthetic overlap of an image, of one of the `KINDS`."""
    height, width = image.shape[:2]
    everything = kind == KINDS[-1]
    if kind == "cropped" or everything:
        share = rng.uniform(0.5, 0.75)
        high, wide = round(height * share), round(width * share)
        top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
        image = image[top : top + high, left : left + wide]
    picture = Image.fromarray(image)
    if kind == "scaled" or everything:
        scale = rng.uniform(0.5, 1.5)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    if kind == "mirrored" or (everything and rng.random() < 0.5):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if kind == "JPEG" or everything:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60)
        picture = Image.open(file)
    return np.asarray(picture)


def _loaded(bench: Bench) -> tuple[list[ImageSet], list[ImageSet]]:
    """Load training and test sets, or the bundled sample if they are not on disk."""
    root = None if bench.data_root is None else Path(bench.data_root)
    try:
        training, test = ([load(name, root) for name in names] for names in (_TRAINING, _TEST))
    except DataError as error:
        bench.say(f"the bundled sample takes the sets' place: {error}")
        training, test = ([load(name) for name in names] for names in _SAMPLE)
    return training, test


def _compared(sets: list[ImageSet]) -> list[dict[str, Any]]:
    """Return the pairs within and between all sets."""
    found = []
    for i, one in enumerate(sets):
        pairs = [(one.name, pair) for pair in duplicates(one)]
        pairs += [(other.name, pair) for other in sets[i + 1 :] for pair in overlaps(one, other)]
        for name, pair in pairs:
            place = {"first": f"{one.name}/{pair.first}", "second": f"{name}/{pair.second}"}
            found.append({**place, "similarity": pair.similarity, "scale": pair.scale, "mirrored": pair.mirrored})
    return found


def _invented(images: list[NamedImage], count: int) -> list[tuple[str, str, NDArray[np.uint8]]]:
    """Return (image, kind, synthetic overlap): kinds in turn, each image at most once."""
    rng = np.random.default_rng(_SEED)
    chosen = rng.permutation(len(images))[:count]
    return [
        (images[k][0], KINDS[i % len(KINDS)], invent(images[k][1], KINDS[i % len(KINDS)], rng))
        for i, k in enumerate(chosen)
    ]


def _seconds(started: tuple[float, float]) -> dict[str, float]:
    return {"core": time.process_time() - started[0], "wall": time.perf_counter() - started[1]}


def run_overlap(bench: Bench) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("SRCNN_CACHE")
        os.environ["SRCNN_CACHE"] = folder  # an empty cache, to measure the first comparison
        try:
            result = _measure(bench)
        finally:
            if before is None:
                del os.environ["SRCNN_CACHE"]
            else:
                os.environ["SRCNN_CACHE"] = before
    bench.record.put("overlap", result)
    recall, real = result["invented"], result["real"]
    rows = [[kind, row["count"], row["found"]] for kind, row in recall["kinds"].items()]
    notes = [
        f"seed {recall['seed']}; found: the image itself, by similarity of at least {SIMILAR}; {recall['false']} found as others",
        f"lowest similarity {recall['lowest']:.3f}; missed: {', '.join(recall['missed']) or 'none'}",
    ]
    bench.table("invented overlaps", ["kind", "invented", "found"], rows, notes)
    first, again = real["first"], real["again"]
    notes = [
        f"{real['images']} images, {real['pairs']} pairs: {first['core']:.1f} core-seconds the first time (wall "
        f"{first['wall']:.1f}), {again['core']:.3f} afterwards; files are read before"
    ]
    rows = [[row["first"], row["second"], row["similarity"], row["scale"]] for row in real["found"]]
    bench.table("real sets", ["image", "image", "similarity", "scale"], rows, notes)


def _measure(bench: Bench) -> dict[str, Any]:
    training, test = _loaded(bench)
    sets = [*training, *test]
    started = time.process_time(), time.perf_counter()
    found = _compared(sets)
    first = _seconds(started)
    started = time.process_time(), time.perf_counter()
    again_found = _compared(sets)
    again = _seconds(started)
    assert again_found == found, "the cache gives what was found"
    images = sum(map(len, sets))
    bench.say(f"{images} images compared")
    joined = [(f"{one.name}/{name}", image) for one in training for name, image in one.images]
    invented = _invented(joined, 20 if bench.quick else _COUNT)
    numbered = tuple((f"{i:03} {name}", image) for i, (name, _, image) in enumerate(invented))
    pairs = overlaps(ImageSet("training", tuple(joined)), ImageSet("invented", numbered))
    known = {frozenset((f"{row['first']}", f"{row['second']}")) for row in found}
    hits: dict[str, float] = {}
    false = []
    for pair in pairs:
        source = pair.second.partition(" ")[2]
        if pair.first == source:
            hits[pair.second] = pair.similarity
        elif frozenset((pair.first, source)) not in known:
            false.append(f"{pair.first} for {source}")
    made, right, missed = Counter[str](), Counter[str](), []
    for (number, image), (name, kind, _) in zip(numbered, invented, strict=True):
        made[kind] += 1
        right[kind] += number in hits
        if number not in hits:
            missed.append(f"{name} {kind} {image.shape[1]}x{image.shape[0]}")
    return {
        "sets": [one.name for one in sets],
        "threshold": SIMILAR,
        "real": {
            "images": images,
            "pairs": images * (images - 1) // 2,
            "found": found,
            "first": first,
            "again": again,
        },
        "invented": {
            "seed": _SEED,
            "count": len(invented),
            "found": len(hits),
            "kinds": {kind: {"count": made[kind], "found": right[kind]} for kind in KINDS},
            "missed": missed,
            "lowest": min(hits.values(), default=0.0),
            "false": len(false),
            "false_pairs": false,
        },
    }
