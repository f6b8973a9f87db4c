"""Start networks of a search: read once by the driver, kept in the folder of the search, and given to all workers.

A name such as ``champion:2`` may mean other weights tomorrow. So the weights that a search began with lie in its folder, and a
resumed search takes them from there, whatever the name means by then.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from srcnn.champions.start import StartNetwork, kept_line, refusal, seen
from srcnn.errors import ConfigError, DataError, SearchError
from srcnn.model.shared_layers import check_shared, shapes_of
from srcnn.system.tensor_file import load_tensors, save_tensors
from srcnn.tuning.space.parameter import Categorical, Value
from srcnn.tuning.space.space import Space
from srcnn.tuning.tracking.registry import read_start

__all__ = ["keep_starts", "shared_lines", "start_names", "start_networks", "warnings", "with_starts"]

_FOLDER, _KIND = "starts", "start"
_DRAWN = 500  # random configurations that are compared with the start networks


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
            found[name] = read_start(tracking_uri, name)
    return found


def with_starts(space: Space, starts: Mapping[str, StartNetwork]) -> Space:
    """Return a space that knows its start networks: a configuration that shares no layer with its own is invalid in it."""
    digests = {name: start.digest for name, start in starts.items()}
    return replace(space, starts=digests, shapes={name: shapes_of(start.weights) for name, start in starts.items()})


def shared_lines(space: Space) -> tuple[str, ...]:
    """Compare random configurations of a space with the networks that they would start from.

    Returns:
        A line for each start network with which some, but not all, of them share a layer. The others are never drawn.

    Raises:
        ConfigError: none that would start from a network shares a layer with it, or there is a scale at which none does and
            every configuration starts from a network. The message names the network and the shapes.
    """
    shapes = space.shapes or {}
    if not shapes:
        return ()
    source, free = random.Random(0), replace(space, shapes=None)
    drawn: Counter[str] = Counter()
    shared: Counter[str] = Counter()
    wrong: dict[str, str] = {}  # why, by start network and by scale
    fits: set[int] = set()  # scales with a valid configuration
    varied = space.parameters.get("start")
    choices = varied.choices if isinstance(varied, Categorical) else ()
    for number in range(_DRAWN):
        fixed: dict[str, Value] = {}
        if choices:  # all of them equally often, with every scale
            fixed["start"] = choices[number % len(choices)]
        if "scale" in space.parameters:
            fixed["scale"] = space.scales[number // max(1, len(choices)) % len(space.scales)]
        with suppress(ConfigError):
            config = free.to_config(free.draw(source, fixed))
            if free.constraints.broken_by(config):
                continue
            if config.start not in shapes:
                fits.add(config.scale)
                continue
            drawn[config.start] += 1
            try:
                check_shared(config, shapes[config.start], config.start)
            except ConfigError as error:
                wrong.setdefault(config.start, str(error))
                wrong.setdefault(f"x{config.scale}", str(error))
            else:
                shared[config.start] += 1
                fits.add(config.scale)
    for name in shapes:
        if drawn[name] and not shared[name]:
            raise ConfigError(f"{wrong[name]}; none of {drawn[name]} random configurations of {space.source} has one")
    for scale in space.scales:
        if scale not in fits and f"x{scale}" in wrong:
            raise ConfigError(f"{wrong[f'x{scale}']}; no random configuration of {space.source} at x{scale} has one")
    return tuple(
        f"{drawn[name] - shared[name]} of {drawn[name]} random configurations that start from {name} share no layer with it; "
        "such are not drawn"
        for name in shapes
        if shared[name] < drawn[name]
    )


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
            found.append(kept_line(start, about.images))
        found += about.doubts
    return tuple(found)
