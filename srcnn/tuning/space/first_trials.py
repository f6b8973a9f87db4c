"""Configurations that run before the sampler starts: the paper's network, the article's network, or a list from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from srcnn.config.presets import preset
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.list_entries import field_of
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.shipped_spaces import readable
from srcnn.tuning.space.space import Space
from srcnn.tuning.space.yaml_file import compose
from srcnn.tuning.space.yaml_nodes import plain, shown

__all__ = ["enqueued", "from_file"]

#: Fields that define these networks. All other fields come from the space, so that all trials train in the same way.
_NETWORK = ("kernels", "filters", "upsampling", "color")
_KNOWN: Mapping[str, TrainConfig] = {
    "paper": TrainConfig(),  # 9-1-5, 64-32, bicubic input
    "article": TrainConfig(**preset("article")),
}


def enqueued(space: Space, sources: Sequence[str] | None) -> tuple[tuple[Mapping[str, Value], ...], int]:
    """Return the parameter values to run first, and how many of them are references: the paper's network, once per scale.

    Args:
        space: the search space.
        sources: ``paper``, ``article``, or paths of YAML files; None: the paper and the article, as far as the space contains
            their networks.

    Raises:
        ConfigError: a configuration lies outside the space; the message names its source.
    """
    rows: list[Mapping[str, Value]] = []
    references = 0
    for source in ("paper", "article") if sources is None else sources:
        if source not in _KNOWN:
            rows += from_file(Path(source), space)
            continue
        found = _network_rows(space, _KNOWN[source])
        wrong = next(filter(None, map(space.check, found)), "")  # constraints of the space
        if sources is not None and (wrong or not found):
            why = f"; {wrong}" if wrong else ""
            raise ConfigError(
                f"enqueue: {space.source} does not contain the network of {source!r}, {_describe(source)}{why}"
            )
        if wrong:
            continue
        if source == "paper":
            rows[:0], references = found, len(found)
        else:
            rows += [row for row in found if row not in rows]
    return tuple(rows), references


def _describe(source: str) -> str:
    config = _KNOWN[source]
    kind = "small input and pixel shuffle" if config.upsampling == "pixel_shuffle" else "bicubic input"
    return f"{config.name}, {kind}"


def _network_rows(space: Space, network: TrainConfig) -> list[dict[str, Value]]:
    """Return a network at every scale of the space; empty if the space does not contain it.

    For training settings that the space varies, the defaults are used as far as the space contains them: the training of a
    reference must not depend on the first values of the sampler.
    """
    rows = []
    for scale in space.scales:
        fields: dict[str, Any] = {name: getattr(network, name) for name in _NETWORK}
        config = TrainConfig(**fields, scale=scale)
        known = [*_NETWORK, "scale"]
        values = space.values_of(config, known)
        if values is None:
            return []
        for name in map(field_of, space.parameters):
            better = None if name in known else space.values_of(config, (*known, name))
            if better is not None:
                known, values = [*known, name], better
        rows.append(values)
    return rows


def from_file(path: Path, space: Space) -> list[dict[str, Value]]:
    """Read a YAML file with a list of mappings from parameters to values. Missing parameters are sampled.

    Raises:
        ConfigError: the file is not such a list, or an entry lies outside the space; the message names the line.
    """
    try:
        root = compose(path)
    except ConfigError as error:
        known = "" if readable(path).exists() else f"; or give {' or '.join(_KNOWN)}"
        raise ConfigError(f"enqueue: {error}{known}") from None
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise ConfigError(f"{path}:1: must be a list of mappings, such as '- {{n1: 64, learning_rate: 5.0e-4}}'")
    rows: list[dict[str, Value]] = []
    for node in root.value:
        line = node.start_mark.line + 1
        values = plain(path, node)
        if not isinstance(values, dict) or not values or not all(isinstance(name, str) for name in values):
            raise ConfigError(
                f"{path}:{line}: must be a mapping of parameters to values, but got {shown(repr(values))}"
            )
        wrong = space.check(values)
        if wrong:
            raise ConfigError(f"{path}:{line}: {wrong}")
        rows.append(values)
    return rows
