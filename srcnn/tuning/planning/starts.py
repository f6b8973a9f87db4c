"""Start networks of a search: read once by the driver, kept in the folder of the search, and given to all workers.

A name such as ``champion:2`` may mean other weights tomorrow. So the weights that a search began with lie in its folder, and a
resumed search takes them from there, whatever the name means by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from srcnn.champions.start import StartNetwork, file_start, named_start, refusal, seen
from srcnn.config.quantities import counted
from srcnn.errors import DataError, SearchError
from srcnn.system.tensor_file import load_tensors, save_tensors
from srcnn.tuning.space.parameter import Categorical
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking.registry import read_version

__all__ = ["keep_starts", "start_names", "start_networks", "warnings"]

_FOLDER, _KIND = "starts", "start"
_REGISTERED = "models:/"


def start_names(space: Space) -> tuple[str, ...]:
    """Return the names of the networks that a trial of a space may start from, without ``random``."""
    parameter = space.parameters.get("start")
    names = parameter.choices if isinstance(parameter, Categorical) else (space.constants.get("start", "random"),)
    return tuple(dict.fromkeys(str(name) for name in names if name != "random"))


def start_networks(space: Space, folder: Path, tracking_uri: str) -> dict[str, StartNetwork]:
    """Return the start networks of a space by name: those that the search keeps in its folder, else what the names mean now.

    Raises:
        ConfigError: nothing has a name.
        CheckpointError: a file is missing or damaged.
        SearchError: the store has no such network.
    """
    found: dict[str, StartNetwork] = {}
    for number, name in enumerate(start_names(space)):
        if name.startswith(_REGISTERED):
            network = partial(read_version, tracking_uri, name, partial(file_start, name))
        else:
            network = partial(named_start, name)
        file = _file(folder, number)
        if file.exists():
            header, weights = load_tensors(file, _KIND)
            if header.get("name") != name:
                raise SearchError(
                    f"start: {file} must have the weights of {name}, but has those of {header.get('name')}"
                )
            # Its images were compared when the search began.
            found[name] = StartNetwork(name, weights, header["digest"])
        else:
            found[name] = network()
    return found


def keep_starts(folder: Path, starts: Mapping[str, StartNetwork]) -> None:
    """Write the start networks to the folder of a search, unless it has them.

    Raises:
        CheckpointError: a file cannot be written.
    """
    for number, start in enumerate(starts.values()):
        if not _file(folder, number).exists():
            save_tensors(
                _file(folder, number), start.weights, {"kind": _KIND, "name": start.name, "digest": start.digest}
            )


def _file(folder: Path, number: int) -> Path:
    return folder / _FOLDER / f"{number}.safetensors"


def warnings(
    starts: Mapping[str, StartNetwork],
    folder: Path,
    pool: str,
    held_out: Sequence[str],
    tests: Sequence[str],
    *,
    allow_overlap: bool,
) -> tuple[str, ...]:
    """Return warnings about the images that start networks were trained on, one sentence each.

    Args:
        starts: start networks by name.
        folder: folder of the search; if it keeps them, they were compared when it began.
        pool: name of the set with the training and held-out images.
        held_out: names of the validation and judging images in it.
        tests: names of the test sets.
        allow_overlap: whether a network may have been trained on such an image.

    Raises:
        DataError: a network was trained on an image that the search measures, and that is not allowed.
    """
    found: list[str] = []
    for number, start in enumerate(starts.values()):
        if _file(folder, number).exists():
            continue
        about = seen(start, pool, held_out, tests)
        if about.images and not allow_overlap:
            raise DataError(refusal(start, about.images))
        if about.images:
            found.append(
                f"kept on request (--allow-overlap): {start.name} was trained on "
                f"{counted(len(about.images), 'measured image')}, so figures of trials that start from it are too high"
            )
        found += about.doubts
    return tuple(found)
