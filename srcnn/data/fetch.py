"""Download of the named sets and the authors' weights from their publishers.

An archive is downloaded to ``<root>/.downloads/<archive>.part``, resumed after an interruption, and kept. Only the wanted
members are extracted, selected by their folders, to a temporary folder beside the destination. They are verified there and then
moved to the destination in one step. If anything fails, the destination does not change.

``$SRCNN_MIRROR`` (or ``base_url``) is another location of the same archives. Only HTTPS is allowed, except for localhost.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from srcnn.data.archive import WrongArchive, unpack
from srcnn.data.datasets import verify
from srcnn.data.download import Progress, download
from srcnn.data.known_sets import SETS, KnownSet, locate
from srcnn.errors import DataError, unknown_name
from srcnn.imaging.image_files import SUFFIXES
from srcnn.system.leftovers import FETCHING, remove_leftovers

__all__ = ["WEIGHTS", "check_name", "fetch", "names", "place", "problems"]

_WEIGHTS_ARCHIVE = "SRCNN_v1.zip"
#: The authors' MATLAB files, ``<kernels>(<training set>)/x<scale>.mat``, and the first digits of their SHA-256.
WEIGHTS: Mapping[str, str] = {
    "9-1-5(91 images)/x2.mat": "51b748297e866983",
    "9-1-5(91 images)/x3.mat": "ef05325a96221ab9",
    "9-1-5(91 images)/x4.mat": "717c2c6f5196a959",
    "9-1-5(ImageNet)/x3.mat": "6390633511025318",
    "9-3-5(ImageNet)/x3.mat": "d798df50cf1e1b26",
    "9-5-5(ImageNet)/x2.mat": "dc06d52ab0ecfb75",
    "9-5-5(ImageNet)/x3.mat": "fa2ee366d328b942",
    "9-5-5(ImageNet)/x4.mat": "3f94150d24e5b60d",
}


def names() -> list[str]:
    """Return the names that `fetch` can download: every named set that is not bundled, and ``weights``."""
    return [name for name, known in SETS.items() if not known.bundled] + ["weights"]


def check_name(name: str) -> None:
    """Check that a name is a set or ``weights``.

    Raises:
        DataError: the name is unknown; the message lists the valid names, the most similar first.
    """
    if name not in SETS and name != "weights":
        raise DataError(unknown_name("data set", name, [*SETS, "weights"]))


def place(name: str, root: Path) -> Path:
    """Return the folder below ``root`` to which `fetch` downloads a name.

    Raises:
        DataError: the name is unknown or that of a bundled set.
    """
    if name == "weights":
        return root / "weights" / "srcnn-official"
    return locate(name, root)


def problems(name: str, root: Path) -> list[str]:
    """Check a set as `srcnn.data.datasets.verify` does, or ``weights``. Return one line per problem.

    Raises:
        DataError: the name is unknown.
    """
    if name != "weights":
        return verify(name, root)
    folder = place(name, root)
    found = []
    for file, digest in WEIGHTS.items():
        try:
            actual = hashlib.sha256((folder / file).read_bytes()).hexdigest()[: len(digest)]
        except OSError as error:
            found.append(f"{folder / file}: {error.strerror or error}")
            continue
        if actual != digest:
            found.append(f"{folder / file}: the SHA-256 must begin with {digest}, but begins with {actual}")
    return found


def fetch(name: str, root: Path, *, base_url: str | None = None, progress: Progress | None = None) -> str:
    """Download, unpack and verify a set or ``weights``, unless it already exists.

    Args:
        name: one of `names`, or a bundled set, which needs no download.
        root: the data root; created if missing.
        base_url: location of the same archives, instead of ``$SRCNN_MIRROR`` or the publishers.
        progress: called with ``(bytes done, total bytes or None)`` during the download.

    Returns:
        One line that describes what was done.

    Raises:
        DataError: the name is unknown; the network or the server fails; the archive is not the right one; or the destination
            has other contents, which are not changed.
    """
    check_name(name)
    if name in SETS and SETS[name].bundled:
        return f"{name}: nothing to fetch, part of the packages {SETS[name].source}"
    target = place(name, root)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        wrong = problems(name, root)
        if wrong:
            raise DataError(f"{target}: has other contents ({wrong[0]}); move the folder away and fetch again")
        return f"{name}: already in {target}, verified"
    archive = SETS[name].source if name in SETS else _WEIGHTS_ARCHIVE
    try:
        mirror = os.environ.get("SRCNN_MIRROR") or None if base_url is None else base_url
        file = download(archive, root / ".downloads", mirror, progress)
        try:
            _install(name, file, root, target)
        except WrongArchive as error:
            file.unlink(missing_ok=True)
            raise DataError(f"{error}; it was deleted, fetch again") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be written to {root} ({error})") from error
    return f"{name}: now in {target}, verified"


def _install(name: str, archive: Path, root: Path, target: Path) -> None:
    """Unpack the members of ``name``, verify them, and move them to ``target``."""
    remove_leftovers(root)
    with tempfile.TemporaryDirectory(prefix=FETCHING, dir=root) as staging:
        folder = place(name, Path(staging))
        folder.mkdir(parents=True)
        unpack(archive, folder, _weights_member if name == "weights" else _set_member(SETS[name]))
        wrong = problems(name, Path(staging))
        if wrong:
            raise WrongArchive(f"{archive.name}: is not the archive of {name} ({wrong[0].replace(staging, '')})")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # empty, otherwise fetch would have stopped
            target.rmdir()
        os.replace(folder, target)


def _set_member(known: KnownSet) -> Callable[[PurePosixPath], str | None]:
    """Return a rule that maps a member of the archive to its path below the set's folder, or None if it is not wanted."""
    inside = tuple(part.casefold() for part in known.inside)

    def rule(member: PurePosixPath) -> str | None:
        folders = tuple(part.casefold() for part in member.parent.parts)
        wanted = folders[-len(inside) :] == inside and member.suffix.lower() in SUFFIXES
        return member.name if wanted else None

    return rule


def _weights_member(member: PurePosixPath) -> str | None:
    below = "/".join(member.parts[-2:])
    return below if member.parts[-3:-2] == ("model",) and below in WEIGHTS else None
