"""Start networks: trained networks whose weights another training begins with, and what they have seen.

A network that was trained on an image measures too well on it, and so does a network that starts from its weights. So a start
network must not have been trained on an image that the new run measures: a validation, judging or test image. `seen` compares by
the names of sets and images. Weights files say in their header what their network was trained on, and champions in their card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from srcnn.champions.card import Origin, TrainingSet
from srcnn.champions.shipped import champion_card, load_champion
from srcnn.config.quantities import counted
from srcnn.data.image_set import ImageSet
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.weights_digest import weights_digest
from srcnn.model.weights_file import load_network, read_header
from srcnn.system.folders import typed_path

__all__ = ["Seen", "StartNetwork", "checked", "file_start", "header_of", "kept_line", "named_start", "refusal", "seen"]

_CHAMPION = "champion:"
_NAMED = 3  # maximum number of images named in a message; the others are counted


@dataclass(frozen=True)
class StartNetwork:
    """A network to start from."""

    name: str  #: as the configuration names it
    weights: Mapping[str, Tensor]  #: state dict, on the CPU
    digest: str  #: see `weights_digest`
    origin: Origin | None = None  #: what it was trained on; None: not known
    tests: tuple[str, ...] = ()  #: test sets whose images were looked for in its training set
    before: str = "random"  #: name of the network that it was started from itself
    before_digest: str = ""  #: digest of that network's weights


@dataclass(frozen=True)
class Seen:
    """What a start network has seen of the images that a run measures."""

    images: tuple[str, ...]  #: measured images that it was trained on
    doubts: tuple[str, ...]  #: what could not be compared, a sentence each


def named_start(name: str) -> StartNetwork:
    """Return the start network with a name: ``champion:2``, ``champion:3``, ``champion:4``, or a weights file.

    Raises:
        ConfigError: the name is another one.
        CheckpointError: the file, or the champion's files, are missing or damaged.
    """
    if not name.startswith(_CHAMPION):
        return file_start(name, typed_path(name, "start"))
    number = name.removeprefix(_CHAMPION)
    scale = int(number) if number.isdecimal() else 0
    network, card = load_champion(scale), champion_card(scale)
    tests = tuple(score.name for score in card.scores)
    config = card.configuration
    return _start(name, network, card.origin, tests, (config.start, config.start_digest))


def file_start(name: str, path: Path) -> StartNetwork:
    """Return the network of a weights file as a start network, with what its header says of its training.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    network, header = load_network(path), read_header(path)
    fields, tests = header["extra"].get("origin"), header["extra"].get("tests", [])
    if not isinstance(fields, dict | None) or not isinstance(tests, list):
        raise CheckpointError(f"{path}: damaged, extra: origin must be an object and tests a list")
    try:
        origin = None if fields is None else Origin(**fields)
    except ConfigError:  # of a later version
        origin = None
    config = header["config"]
    before = str(config.get("start", "random")), str(config.get("start_digest", ""))
    return _start(name, network, origin, tuple(map(str, tests)), before)


def _start(
    name: str, network: SRCNN, origin: Origin | None, tests: tuple[str, ...], before: tuple[str, str]
) -> StartNetwork:
    weights = network.state_dict()
    return StartNetwork(name, weights, weights_digest(weights), origin, tests, *before)


def checked(start: StartNetwork, digest: str) -> StartNetwork:
    """Return the network if it has a digest; an empty one is not compared.

    Raises:
        ConfigError: it has another one: these are not the weights that the run began with, or was to begin with.
    """
    if digest not in ("", start.digest):
        raise ConfigError(
            f"start: the weights of {start.name} must have digest {digest[:16]}..., but have {start.digest[:16]}..."
        )
    return start


def header_of(
    training: ImageSet,
    held_out: Sequence[str],
    tests: Sequence[ImageSet],
    left_out: Sequence[object] = (),
    kept: Sequence[object] = (),
) -> dict[str, Any]:
    """Return what a weights file keeps of its training in its header, for `file_start`.

    Args:
        training: the training images.
        held_out: names of the images that were held out of the same set.
        tests: test sets whose images were looked for in the set.
        left_out: leaks that were left out (`srcnn.overlap.leaks.Leak`).
        kept: leaks that were kept on request.
    """
    origin = Origin(
        training=TrainingSet(name=training.name, digest=training.digest),
        validation=tuple(held_out),
        left_out=tuple(map(str, left_out)),
        overlap=tuple(map(str, kept)),
    )
    fields = origin.model_dump(mode="json", include={"training", "validation", "left_out", "overlap"})
    found: dict[str, Any] = json.loads(json.dumps({"origin": fields, "tests": [one.name for one in tests]}))
    return found


def seen(start: StartNetwork, pool: str, held_out: Sequence[str], tests: Sequence[str]) -> Seen:
    """Return which measured images of a run its start network was trained on.

    Args:
        start: the start network.
        pool: name of the set that the run's training and held-out images come from.
        held_out: names of validation and judging images in it.
        tests: names of the test sets.
    """
    if start.origin is None:
        return Seen(
            (), (f"it is not known what {start.name} was trained on, which may be images that this run measures",)
        )
    theirs = start.origin.training.name.removesuffix("[train]")
    sets = set(theirs.split("+"))
    # The other images of its sets count as trained on. The cards of earlier versions do not name the judging images.
    spared = {_whole(theirs, name) for name in (*start.origin.validation, *start.origin.judging)}
    spared |= {_whole(theirs, line.partition(" shows ")[0]) for line in start.origin.left_out}
    pool = pool.removesuffix("[train]")
    names = [_whole(pool, name) for name in held_out]
    images = [name for name in names if name.rpartition("/")[0] in sets and name not in spared]
    images += [line for line in start.origin.overlap if any(f" of {test} " in f"{line} " for test in tests)]
    doubts = []
    others = sorted(set(pool.split("+")) - sets)
    if others and held_out:
        doubts.append(
            f"the images of {', '.join(others)} were not compared with {theirs}, on which {start.name} was trained"
        )
    missing = [test for test in tests if test not in start.tests]
    if missing:
        doubts.append(f"{theirs}, on which {start.name} was trained, was not compared with {', '.join(missing)}")
    if (first := _champion_before(start)) is not None:
        more = seen(first, pool, held_out, tests)
        images += [image for image in more.images if image not in images]
        doubts += [doubt for doubt in more.doubts if doubt not in doubts]
    elif start.before != "random":
        doubts.append(f"{start.name} itself was started from {start.before}, whose training images were not compared")
    return Seen(tuple(images), tuple(doubts))


def _champion_before(start: StartNetwork) -> StartNetwork | None:
    """Return the network that one was started from, if it is a champion of this version of the package."""
    if start.before not in (f"{_CHAMPION}{scale}" for scale in (2, 3, 4)):
        return None
    first = named_start(start.before)
    return first if first.digest == start.before_digest else None


def _whole(pool: str, name: str) -> str:
    """Return the name of an image with its set; in a set of several parts it has it already."""
    return name if "+" in pool else f"{pool}/{name}"


def refusal(start: StartNetwork, images: Sequence[str]) -> str:
    """Return one line that says that a start network was trained on measured images, and what can be done."""
    more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
    return (
        f"start: {start.name} was trained on {counted(len(images), 'image')} that this run measures, "
        f"{', '.join(images[:_NAMED])}{more}; start from a network that was trained with the same images held out, or "
        "--allow-overlap keeps them"
    )


def kept_line(start: StartNetwork, images: Sequence[str]) -> str:
    """Return one sentence for a start network that was trained on measured images and is used on request."""
    return (
        f"kept on request (--allow-overlap): {start.name} was trained on {counted(len(images), 'measured image')}, so figures of "
        "trials that start from it are too high"
    )
