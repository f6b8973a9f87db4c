"""Loading of images: named sets, folders, and the bundled sample that needs no download.

====================  =======  ==============================================================================
name                  images   source
====================  =======  ==============================================================================
``T91``               91       Yang et al., IEEE TIP 2010; as released with SRCNN (``SRCNN_train.zip``)
``BSDS300/train``     200      Martin et al., ICCV 2001; the Berkeley segmentation data set
``BSDS300/test``      100      the same; a test set
``Set5``, ``Set14``   5, 14    Bevilacqua et al. 2012, Zeyde et al. 2010; as released with SRCNN; test sets
``sample/train``      14       photographs in the packages scikit-image and srcnn
``sample/test``       4        other photographs in scikit-image
====================  =======  ==============================================================================

A set is a folder with its name below the data root; `srcnn.data.fetch` downloads it. The registry contains the number of
images of a set, their sizes, and a digest of their pixels, which does not depend on file names or the lossless file format.
BSDS300 has no digest: it is distributed as JPEG, and the results of decoders differ slightly.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from srcnn.data.image_set import ImageSet, NamedImage, pixel_digest
from srcnn.data.known_sets import ALIASES, SETS, WHEELS, KnownSet, data_root, known_set, locate
from srcnn.errors import DataError, unknown_name
from srcnn.imaging.image_files import check_together, list_images, read_image, shown_name
from srcnn.system import invocation
from srcnn.system.folders import typed_path

__all__ = ["load", "verify"]


def load(spec: str, root: Path | None = None, *, skip_bad: bool | None = None) -> ImageSet:
    """Read images into memory: a named set, a folder, or several of them joined by ``+``.

    Args:
        spec: ``T91``, ``sample/train``, ``photos/holiday``, ``T91+BSDS300/train``. A name takes precedence over a folder of
            the same name (``./T91`` is the folder). If there are several, the image names get the set name as prefix.
        root: the data root, as in `data_root`.
        skip_bad: skip files that cannot be decoded, and list them in ``skipped``. False: the error names the flag that does it;
            None: there is no such flag.

    Raises:
        DataError: unknown name and no such folder; a set that is not on disk; a file that cannot be decoded.
    """
    parts = [ALIASES.get(part, part) for part in ([spec] if _is_one(spec) else spec.split("+"))]
    repeated = [part for part, count in Counter(parts).items() if count > 1]
    if repeated:
        raise DataError(f"data set {spec!r}: each part must appear once, but {repeated[0]!r} appears several times")
    sets = [_load_one(part, root, skip_bad) for part in parts]
    if len(sets) == 1:
        return sets[0]
    return ImageSet(
        "+".join(s.name for s in sets),
        tuple((f"{s.name}/{name}", image) for s in sets for name, image in s.images),
        tuple(f"{s.name}/{name}" for s in sets for name in s.skipped),
    )


def verify(name: str, root: Path | None = None) -> list[str]:
    """Check a named set on disk: files, count, sizes, pixels. Return one line per problem; none if the set is correct.

    Raises:
        DataError: no set has this name.
    """
    known = known_set(name)
    try:
        files = _files(known, data_root(root))
    except DataError as error:
        return [str(error)]
    problems, images = [], []
    if len(files) != known.count:
        problems.append(f"{name}: must have {known.count} images, but has {len(files)}")
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
        problems.append(f"{name}: pixels must have digest {known.digest}, but have {found}")
    return problems


def _is_one(spec: str) -> bool:
    return spec in SETS or spec in ALIASES or (bool(spec) and typed_path(spec, "data set").is_dir())


def _load_one(spec: str, root: Path | None, skip_bad: bool | None) -> ImageSet:
    if spec in SETS:
        return _read(spec, _files(SETS[spec], data_root(root)), skip_bad)
    folder = typed_path(spec or ".", "data set")
    if not spec or not folder.exists():
        raise DataError(f"{unknown_name('data set', spec, [*SETS, *ALIASES])}; or give the path of a folder of images")
    if not folder.is_dir():
        raise DataError(f"{folder}: is a file, but must be a folder of images")
    return _read(spec, list_images(folder), skip_bad)


def _files(known: KnownSet, root: Path) -> list[Path]:
    if known.bundled:
        return [_bundled(path) for path in known.bundled]
    folder = locate(known.name, root)
    if not folder.is_dir():
        command = f"{invocation.command('data')} fetch {known.name} --data-root {shlex.quote(str(root))}"
        raise DataError(f"{known.name}: not in {folder}; fetch it with: {command}")
    return list_images(folder)


def _bundled(path: str) -> Path:
    """Return the file ``package/inside`` of an installed package, without importing the package."""
    package, _, inside = path.partition("/")
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, inside)).is_file():
            return file
    raise DataError(f"{path}: not installed; the sample consists of photographs in the packages {WHEELS}")


def _read(name: str, files: list[Path], skip_bad: bool | None) -> ImageSet:
    check_together(files, name)
    stems = Counter(file.stem for file in files)
    images: list[NamedImage] = []
    skipped: list[str] = []
    for file in files:
        try:
            image = read_image(file)
        except DataError as error:
            if not skip_bad:
                raise DataError(f"{error}; --skip-bad skips such files" if skip_bad is False else str(error)) from error
            skipped.append(shown_name(file.name))
        else:
            images.append((shown_name(file.stem if stems[file.stem] == 1 else file.name), image))
    if not images:
        raise DataError(f"{name}: no file can be decoded, of {len(files)}, such as {skipped[0]}")
    return ImageSet(name, tuple(images), tuple(skipped))


def _digest(images: Iterable[NDArray[np.uint8]]) -> str:
    """Return 16 hexadecimal digits of a hash over shapes and pixels, independent of names and order."""
    return hashlib.sha256("\n".join(sorted(map(pixel_digest, images))).encode()).hexdigest()[:16]
