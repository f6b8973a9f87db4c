"""The networks that come with the package: for each scale one of each size, with a `Card` that says what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from srcnn.champions.card import Card, read_card
from srcnn.errors import CheckpointError, ConfigError, unknown_name
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network

__all__ = [
    "FOLDER",
    "LARGEST_SIZE",
    "SCALES",
    "SIZES",
    "card_file",
    "champion_card",
    "champion_names",
    "load_champion",
    "size_of_name",
    "weights_file",
]

FOLDER = Path(__file__).parent  #: where the weights and cards are
SCALES = (2, 3, 4)  #: scales that have a network
#: Sizes, largest first: the maximum number of weights and biases. 57k: the weights of the paper's best network, 9-5-5 (64-32);
#: 8k: the weights and biases of its first, 9-1-5 (64-32).
SIZES: Mapping[str, int] = {"57k": 57_184, "25k": 25_000, "8k": 8_129}
LARGEST_SIZE = "57k"  #: the size that is meant where none is named
_WORD = "champion"


def weights_file(scale: int, folder: Path = FOLDER, size: str = LARGEST_SIZE) -> Path:
    """Return the path of the weights of a scale and size.

    Raises:
        ConfigError: there is no network for this scale, or no such size.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale: must be 2, 3 or 4, but got {scale}")
    if size not in SIZES:
        raise ConfigError(f"size: {unknown_name('size', size, SIZES)}")
    return folder / (f"x{scale}.safetensors" if size == LARGEST_SIZE else f"x{scale}-{size}.safetensors")


def card_file(scale: int, folder: Path = FOLDER, size: str = LARGEST_SIZE) -> Path:
    """Return the path of the card of a scale and size.

    Raises:
        ConfigError: there is no network for this scale, or no such size.
    """
    return weights_file(scale, folder, size).with_suffix(".json")


def champion_names(folder: Path = FOLDER) -> list[str]:
    """Return the names of the sizes that have a card in a folder: ``champion``, ``champion-25k`` and ``champion-8k``."""
    there = [size for size in SIZES if any(card_file(scale, folder, size).is_file() for scale in SCALES)]
    return [_WORD if size == LARGEST_SIZE else f"{_WORD}-{size}" for size in there]


def size_of_name(name: str) -> str | None:
    """Return the size that a name means: ``champion`` or ``champion-SIZE``; None: it is no name of a champion."""
    if name == _WORD:
        return LARGEST_SIZE
    size = name.removeprefix(f"{_WORD}-")
    return size if size != name and size in SIZES and size != LARGEST_SIZE else None


def champion_card(scale: int, folder: Path = FOLDER, *, size: str = LARGEST_SIZE) -> Card:
    """Return the card of the network for a scale.

    Args:
        scale: 2, 3 or 4.
        folder: folder with other weights and cards, made by ``experiments/champion.py``.
        size: one of `SIZES`.

    Raises:
        ConfigError: there is no network for this scale, or no such size.
        CheckpointError: the card is missing or damaged.
    """
    return read_card(card_file(scale, folder, size))


def load_champion(scale: int, folder: Path = FOLDER, *, size: str = LARGEST_SIZE) -> SRCNN:
    """Return the network for a scale, on the CPU, in evaluation mode.

    Args:
        scale: 2, 3 or 4.
        folder: folder with other weights and cards, made by ``experiments/champion.py``.
        size: one of `SIZES`.

    Raises:
        ConfigError: there is no network for this scale, or no such size.
        CheckpointError: the weights or the card are missing or damaged, or do not belong together.
    """
    file, card = weights_file(scale, folder, size), champion_card(scale, folder, size=size)
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        raise CheckpointError(f"{file}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from None
    if found != card.sha256:
        raise CheckpointError(
            f"{file}: damaged, its SHA-256 must begin with {card.sha256[:16]} as in the card, but begins with {found[:16]}"
        )
    return load_network(file)
