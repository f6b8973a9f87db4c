"""The named sets of images, folders of one's own, and the sample that needs no download.

====================  =======  ==============================================================================
name                  images   source
====================  =======  ==============================================================================
``T91``               91       Yang et al., IEEE TIP 2010; as released with SRCNN (``SRCNN_train.zip``)
``BSDS300/train``     200      Martin et al., ICCV 2001; the Berkeley segmentation data set
``BSDS300/test``      100      the same; a test set
``Set5``, ``Set14``   5, 14    Bevilacqua et al. 2012, Zeyde et al. 2010; as released with SRCNN; test sets
``sample/train``      14       photographs inside the wheels of scikit-image, scikit-learn and matplotlib
``sample/test``       4        the same, other scenes
====================  =======  ==============================================================================

A set lies in the folder of its name below the data root; `srcnn.fetch` puts it there. The registry knows how many
images a set has, their sizes, and a digest of their pixels, which no change of file name or lossless format alters.
BSDS300 has no digest: it is distributed as JPEG, and decoders differ by a level here and there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srcnn.errors import DataError, unknown_name
from srcnn.images import list_images, read_image

__all__ = ["SETS", "ImageSet", "KnownSet", "NamedImage", "data_root", "load", "locate", "split", "verify", "without"]

NamedImage = tuple[str, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images in a fixed order, each a name and a uint8 array: (height, width) grey or (height, width, 3) RGB."""

    name: str
    images: tuple[NamedImage, ...]
    skipped: tuple[str, ...] = ()  #: files that could not be decoded and were left out on request

    def __len__(self) -> int:
        return len(self.images)

    @property
    def source(self) -> dict[str, str]:
        """What a record of a run says of its data: name, digest and number of images."""
        return {"name": self.name, "digest": self.digest, "images": str(len(self))}

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits over the names, shapes and pixels of the images, in order."""
        total = hashlib.sha256()
        for name, image in self.images:
            total.update(f"{name}:{_pixels(image)};".encode())
        return total.hexdigest()[:16]


@dataclass(frozen=True)
class KnownSet:
    """What is known of a named set, so that a wrong copy is noticed."""

    name: str
    count: int
    source: str  #: the archive that holds it, or the packages that ship it
    inside: tuple[str, ...] = ()  #: the folders in the archive whose files it is, innermost last
    sizes: frozenset[tuple[int, int]] = frozenset()  #: the (width, height) there are; empty: not checked
    digest: str | None = None  #: over the pixels; see `verify`
    bundled: tuple[str, ...] = ()  #: files inside installed packages, ``package/path``


_BSDS = frozenset({(481, 321), (321, 481)})
_BSDS_CROPPED = frozenset({(480, 320), (320, 480)})  # a common redistribution of the test images
_TRAIN_PHOTOS = (
    "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    "skimage/data/brick.png",
    "skimage/data/clock_motion.png",
    "skimage/data/coins.png",
    "skimage/data/grass.png",
    "skimage/data/gravel.png",
    "skimage/data/hubble_deep_field.jpg",
    "skimage/data/ihc.png",
    "skimage/data/moon.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/page.png",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
)
_TEST_PHOTOS = (  # no JPEG files: a test should not reward the reconstruction of blocks
    "skimage/data/astronaut.png",
    "skimage/data/camera.png",
    "skimage/data/chelsea.png",
    "skimage/data/coffee.png",
)
_WHEELS = "scikit-image, scikit-learn, matplotlib"

#: Every named set.
SETS: Mapping[str, KnownSet] = {
    known.name: known
    for known in (
        KnownSet("T91", 91, "SRCNN_train.zip", ("Train",), digest="eae6c4b500bdec15"),
        KnownSet("BSDS300/train", 200, "BSDS300-images.tgz", ("images", "train"), sizes=_BSDS),
        KnownSet("BSDS300/test", 100, "BSDS300-images.tgz", ("images", "test"), sizes=_BSDS | _BSDS_CROPPED),
        KnownSet("Set5", 5, "SRCNN_v1.zip", ("Set5",), digest="5dbc35f89ddb4d99"),
        KnownSet("Set14", 14, "SRCNN_v1.zip", ("Set14",), digest="380403435132ea7a"),
        KnownSet("sample/train", len(_TRAIN_PHOTOS), _WHEELS, bundled=_TRAIN_PHOTOS),
        KnownSet("sample/test", len(_TEST_PHOTOS), _WHEELS, bundled=_TEST_PHOTOS, digest="fc20aa7ef412e630"),
    )
}
_ALIASES = {"sample": "sample/train"}


def data_root(option: str | Path | None = None) -> Path:
    """Where the sets lie: the option if there is one, else ``$SRCNN_DATA``, else ``data`` in the current folder."""
    return Path(option or os.environ.get("SRCNN_DATA") or "data").expanduser()


def locate(name: str, root: Path | None = None) -> Path:
    """The folder in which a named set lies, whether or not it is there. ``root`` as in `data_root`.

    Raises:
        DataError: no set of that name, or a bundled one, which has no folder of its own.
    """
    known = _known(name)
    if known.bundled:
        raise DataError(f"{name}: is part of {known.source} and has no folder")
    return data_root(root).joinpath(*name.split("/"))


def load(spec: str, root: Path | None = None, *, skip_bad: bool = False) -> ImageSet:
    """Read images into memory: a named set, a folder, or several of them joined by ``+``.

    Args:
        spec: ``T91``, ``sample/train``, ``photos/holiday``, ``T91+BSDS300/train``. A name wins over a folder of the
            same name (``./T91`` is the folder). Of several, each image's name begins with its set's.
        root: the data root, as in `data_root`.
        skip_bad: leave files out that cannot be decoded, and list them in ``skipped``.

    Raises:
        DataError: neither a name nor a folder; a set that is not on disk; a file that cannot be decoded.
    """
    parts = [_ALIASES.get(part, part) for part in ([spec] if _is_one(spec) else spec.split("+"))]
    repeated = [part for part, count in Counter(parts).items() if count > 1]
    if repeated:
        raise DataError(f"data set {spec!r}: each part may come once, but {repeated[0]!r} comes twice")
    sets = [_load_one(part, root, skip_bad) for part in parts]
    if len(sets) == 1:
        return sets[0]
    return ImageSet(
        "+".join(s.name for s in sets),
        tuple((f"{s.name}/{name}", image) for s in sets for name, image in s.images),
        tuple(f"{s.name}/{name}" for s in sets for name in s.skipped),
    )


def split(
    images: ImageSet,
    validation: int,
    seed: int,
    *,
    together: Collection[Collection[str]] = (),
    leave_out: Collection[str] = (),
) -> tuple[ImageSet, ImageSet]:
    """Hold ``validation`` whole images out, drawn by ``seed``: (the rest, those held out), both in the set's order.

    The draw depends on the seed and the names alone, not on the order in which they were read. The images of a group go to
    one side. Images are held out in the order of the draw; with an image goes its group, and one whose group is larger than
    what is still to be held out is passed over and trained on. So where the draw itself divides no group, it stands as it
    is; else as many images as were asked for are held out, or the most below that which whole groups allow.

    Args:
        images: the set.
        validation: how many to hold out.
        seed: of the draw.
        together: groups of names, disjoint; as `srcnn.overlap.same_photograph` finds them.
        leave_out: names that go to neither side; the draw passes over them.

    Raises:
        DataError: ``validation`` is below 1 or leaves nothing to train on, or no group is small enough to be held out.
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
            f"{images.name}: every group of images of one photograph has more than the {validation} to be held out"
        )
    train, out = (
        tuple(pair for pair in images.images if pair[0] not in leave_out and (pair[0] in held) == wanted)
        for wanted in (False, True)
    )
    return ImageSet(f"{images.name}[train]", train, images.skipped), ImageSet(f"{images.name}[validation]", out)


def without(images: ImageSet, held_out: ImageSet) -> ImageSet:
    """The images of a set whose pixels are not among those held out, whatever their names."""
    known = {_pixels(image) for _, image in held_out.images}
    left = tuple(pair for pair in images.images if _pixels(pair[1]) not in known)
    return images if len(left) == len(images) else ImageSet(f"{images.name}[train]", left, images.skipped)


def verify(name: str, root: Path | None = None) -> list[str]:
    """What is wrong with a named set on disk, one line each: files, count, sizes, pixels. Empty: it is as it should be.

    Raises:
        DataError: no set of that name.
    """
    known = _known(name)
    try:
        files = _files(known, data_root(root))
    except DataError as error:
        return [str(error)]
    problems, images = [], []
    if len(files) != known.count:
        problems.append(f"{name}: {known.count} images belong to it, but there are {len(files)}")
    for file in files:
        try:
            image = read_image(file)
        except DataError as error:
            problems.append(str(error))
            continue
        height, width = image.shape[:2]
        if known.sizes and (width, height) not in known.sizes:
            sizes = " or ".join(f"{w}x{h}" for w, h in sorted(known.sizes))
            problems.append(f"{file}: the size must be {sizes}, but is {width}x{height}")
        images.append(image)
    if known.digest and not problems and (found := _digest(images)) != known.digest:
        problems.append(f"{name}: pixels with digest {known.digest} belong to it, but they have {found}")
    return problems


def _known(name: str) -> KnownSet:
    if name not in SETS:
        raise DataError(unknown_name("data set", name, SETS))
    return SETS[name]


def _is_one(spec: str) -> bool:
    return spec in SETS or spec in _ALIASES or Path(spec).expanduser().is_dir()


def _load_one(spec: str, root: Path | None, skip_bad: bool) -> ImageSet:
    if spec in SETS:
        return _read(spec, _files(SETS[spec], data_root(root)), skip_bad)
    folder = Path(spec).expanduser()
    if not spec or not folder.exists():
        raise DataError(f"{unknown_name('data set', spec, [*SETS, *_ALIASES])}; or the path of a folder of images")
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file; give the folder that holds it")
    return _read(spec, list_images(folder), skip_bad)


def _files(known: KnownSet, root: Path) -> list[Path]:
    if known.bundled:
        return [_bundled(path) for path in known.bundled]
    folder = locate(known.name, root)
    if not folder.is_dir():
        command = f"python experiments/data.py fetch {known.name} --data-root {shlex.quote(str(root))}"
        raise DataError(f"{known.name}: not in {folder}; fetch it with: {command}")
    return list_images(folder)


def _bundled(path: str) -> Path:
    """The file ``package/inside`` of an installed package, which is found but not imported."""
    package, _, inside = path.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, inside)).is_file():
            return file
    raise DataError(f"{path}: not in this installation; the sample is made of photographs that {_WHEELS} ship")


def _read(name: str, files: list[Path], skip_bad: bool) -> ImageSet:
    stems = Counter(file.stem for file in files)
    images: list[NamedImage] = []
    skipped: list[str] = []
    for file in files:
        try:
            image = read_image(file)
        except DataError as error:
            if not skip_bad:
                raise DataError(f"{error}; --skip-bad leaves such files out") from error
            skipped.append(file.name)
        else:
            images.append((file.stem if stems[file.stem] == 1 else file.name, image))
    if not images:
        raise DataError(f"{name}: none of its {len(files)} files can be decoded, {skipped[0]} for one")
    return ImageSet(name, tuple(images), tuple(skipped))


def _pixels(image: NDArray[np.uint8]) -> str:
    shape = "x".join(map(str, image.shape))
    return hashlib.sha256(f"{shape}:".encode() + image.tobytes()).hexdigest()


def _digest(images: Iterable[NDArray[np.uint8]]) -> str:
    """16 hexadecimal digits over shapes and pixels, whatever the names and the order."""
    return hashlib.sha256("\n".join(sorted(map(_pixels, images))).encode()).hexdigest()[:16]
