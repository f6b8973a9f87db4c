"""Downloads: the named sets and the authors' weights, from the places that published them.

An archive is streamed to ``<root>/.downloads/<archive>.part``, taken up again where it broke off, and kept. Only the
wanted members are taken out of it, by the folders they lie in, into a temporary folder beside their destination; they
are verified there, and moved into place as a whole. Whatever fails, nothing half-made is left where a set belongs.

``$SRCNN_MIRROR`` (or ``base_url``) names another place that has the same archives. Only HTTPS is spoken, but for this
very machine.
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

__all__ = ["WEIGHTS", "check_name", "fetch", "names", "place", "problems"]

_WEIGHTS_ARCHIVE = "SRCNN_v1.zip"
#: The authors' MATLAB files, ``<kernels>(<training set>)/x<scale>.mat``, and the SHA-256 that each begins with.
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
    """What `fetch` knows: every named set that is not bundled, and ``weights``."""
    return [name for name, known in SETS.items() if not known.bundled] + ["weights"]


def check_name(name: str) -> None:
    """Refuse a name that is neither a set nor ``weights``.

    Raises:
        DataError: with the names there are, nearest first.
    """
    if name not in SETS and name != "weights":
        raise DataError(unknown_name("data set", name, [*SETS, "weights"]))


def place(name: str, root: Path) -> Path:
    """The folder below ``root`` that `fetch` fills for a name.

    Raises:
        DataError: no such name, or a bundled set.
    """
    if name == "weights":
        return root / "weights" / "srcnn-official"
    return locate(name, root)


def problems(name: str, root: Path) -> list[str]:
    """`srcnn.data.datasets.verify`, for ``weights`` too: one line for everything that is wrong.

    Raises:
        DataError: no such name.
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
    """Download, unpack and verify one set, or ``weights``, unless it is there already.

    Args:
        name: one of `names`, or a bundled set, for which there is nothing to do.
        root: the data root; made if need be.
        base_url: a place with the same archives, instead of ``$SRCNN_MIRROR`` or the publishers.
        progress: told ``(bytes done, bytes in all or None)`` now and then.

    Returns:
        One line that says what was done.

    Raises:
        DataError: no such name; the network or the server fails; the archive is not the right one; or the destination
            holds something else, which is left alone.
    """
    check_name(name)
    if name in SETS and SETS[name].bundled:
        return f"{name}: nothing to fetch, it is part of {SETS[name].source}"
    target = place(name, root)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        wrong = problems(name, root)
        if wrong:
            raise DataError(f"{target}: holds something else ({wrong[0]}); move it away and fetch again")
        return f"{name}: already in {target}, verified"
    archive = SETS[name].source if name in SETS else _WEIGHTS_ARCHIVE
    try:
        file = download(archive, root / ".downloads", base_url or os.environ.get("SRCNN_MIRROR"), progress)
        try:
            _install(name, file, root, target)
        except WrongArchive as error:
            file.unlink(missing_ok=True)
            raise DataError(f"{error}; it was deleted, fetch again") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be written to {root} ({error})") from error
    return f"{name}: now in {target}, verified"


def _install(name: str, archive: Path, root: Path, target: Path) -> None:
    """Unpack what belongs to ``name``, verify it, and move it to ``target``."""
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=root) as staging:
        folder = place(name, Path(staging))
        folder.mkdir(parents=True)
        unpack(archive, folder, _weights_member if name == "weights" else _set_member(SETS[name]))
        wrong = problems(name, Path(staging))
        if wrong:
            raise WrongArchive(f"{archive.name}: is not the archive of {name} ({wrong[0].replace(staging, '')})")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():  # empty, or fetch would not have come here
            target.rmdir()
        os.replace(folder, target)


def _set_member(known: KnownSet) -> Callable[[PurePosixPath], str | None]:
    """A rule that gives the place of a member below the set's folder, or None for what is not wanted."""
    inside = tuple(part.casefold() for part in known.inside)

    def rule(member: PurePosixPath) -> str | None:
        folders = tuple(part.casefold() for part in member.parent.parts)
        wanted = folders[-len(inside) :] == inside and member.suffix.lower() in SUFFIXES
        return member.name if wanted else None

    return rule


def _weights_member(member: PurePosixPath) -> str | None:
    below = "/".join(member.parts[-2:])
    return below if member.parts[-3:-2] == ("model",) and below in WEIGHTS else None
