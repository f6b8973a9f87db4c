"""The networks that come with the package: one for each scale, with a `Card` that says what it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from srcnn.champions.card import Card, read_card
from srcnn.errors import CheckpointError, ConfigError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import load_network

__all__ = ["FOLDER", "SCALES", "card_file", "champion_card", "load_champion", "weights_file"]

FOLDER = Path(__file__).parent  #: where the weights and cards are
SCALES = (2, 3, 4)  #: scales that have a network


def weights_file(scale: int, folder: Path = FOLDER) -> Path:
    """Return the path of the weights of a scale.

    Raises:
        ConfigError: there is no network for this scale.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale: must be 2, 3 or 4, but got {scale}")
    return folder / f"x{scale}.safetensors"


def card_file(scale: int, folder: Path = FOLDER) -> Path:
    """Return the path of the card of a scale.

    Raises:
        ConfigError: there is no network for this scale.
    """
    return weights_file(scale, folder).with_suffix(".json")


def champion_card(scale: int, folder: Path = FOLDER) -> Card:
    """Return the card of the network for a scale.

    Args:
        scale: 2, 3 or 4.
        folder: folder with other weights and cards, made by ``experiments/champion.py``.

    Raises:
        ConfigError: there is no network for this scale.
        CheckpointError: the card is missing or damaged.
    """
    return read_card(card_file(scale, folder))


def load_champion(scale: int, folder: Path = FOLDER) -> SRCNN:
    """Return the network for a scale, on the CPU, in evaluation mode.

    Args:
        scale: 2, 3 or 4.
        folder: folder with other weights and cards, made by ``experiments/champion.py``.

    Raises:
        ConfigError: there is no network for this scale.
        CheckpointError: the weights or the card are missing or damaged, or do not belong together.
    """
    file, card = weights_file(scale, folder), champion_card(scale, folder)
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
