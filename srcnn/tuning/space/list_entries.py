"""Names for entries of the lists ``filters`` and ``kernels``, as in the papers.

``n1`` is the number of filters of the first layer, ``f2`` the kernel size of the second, ``f_last`` that of the last.
``n_rest`` and ``f_rest`` are all entries without a name of their own. ``depth`` is the number of layers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError
from srcnn.tuning.space.parameter import Value

__all__ = ["entry_of", "field_of", "is_entry", "to_fields"]

_ENTRY = re.compile(r"^(?:([nf])([1-9]\d*)|(f)_(last))$")
_DEEPEST = 1000  # layers for which a list is made; the configuration has a lower limit of its own
_REST = {"n_rest": "filters", "f_rest": "kernels"}
_LISTS = {"n": "filters", "f": "kernels"}


def is_entry(name: str) -> bool:
    """Return whether a name stands for list entries: n1, f2, f_last, n_rest."""
    return name in _REST or _ENTRY.match(name) is not None


def _position(name: str) -> tuple[str, int] | None:
    """Return the list and index of an entry; None for other names.

    ``n2`` gives ("filters", 1). The index of the last entry is -1.
    """
    match = _ENTRY.match(name)
    if match is None:
        return None
    return _LISTS[match[1] or match[3]], -1 if match[4] else int(match[2]) - 1


def field_of(name: str) -> str:
    """Return the field of `TrainConfig` that a parameter belongs to."""
    place = _position(name)
    return "kernels" if name == "depth" else _REST.get(name, name) if place is None else place[0]


def entry_of(name: str, config: TrainConfig) -> Value:
    """Return the value of a parameter in a configuration; None if the configuration has no such entry."""
    if name == "depth":
        return config.depth
    if name in _REST:  # a guess that `values_of` checks: usually only the first layer has a name of its own
        sizes = getattr(config, _REST[name])
        return int(sizes[min(1, len(sizes) - 1)])
    place = _position(name)
    if place is None:
        value = getattr(config, name)
        return "-".join(map(str, value)) if isinstance(value, tuple) else value
    sizes = getattr(config, place[0])
    return int(sizes[place[1]]) if place[1] < len(sizes) else None


def to_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert values by parameter name to fields of `TrainConfig`: ``n1`` and ``n2`` become entries of ``filters``.

    Raises:
        ConfigError: the depth is not valid, or an entry has no value.
    """
    fields = {name: value for name, value in values.items() if not is_entry(name) and name != "depth"}
    depth = values.get("depth")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 2):
        raise ConfigError(f"depth: must be a whole number of at least 2, but got {depth!r}")
    if depth is not None and depth > _DEEPEST:
        raise ConfigError(f"depth: must be at most {_DEEPEST}, but got {depth}")
    for letter, name in _LISTS.items():
        entries = {place[1]: v for n, v in values.items() if (place := _position(n)) and place[0] == name}
        rest = values.get(f"{letter}_rest")
        if not entries and depth is None and rest is None:
            continue
        default = TrainConfig.model_fields[name].default
        given = TrainConfig(**{name: fields[name]}).model_dump()[name] if name in fields else default
        named_last = -1 in entries  # f_last takes precedence over the f_i of the same layer
        last = entries.pop(-1, given[-1] if letter == "f" else None)
        length = max([len(given), *(i + 1 for i in entries)])
        if length > _DEEPEST:
            raise ConfigError(f"{letter}{length}: must be an entry of one of {_DEEPEST} layers at most")
        if depth is not None:
            length = depth if letter == "f" else depth - 1
        # The last kernel of the list remains the last one for any number of layers.
        sizes = list(given[:-1] if letter == "f" and length != len(given) else given)[:length]
        sizes += [None] * (length - len(sizes))
        if rest is not None:
            sizes, last = [rest] * length, last if named_last else rest
        for position, value in entries.items():
            if position < length:
                sizes[position] = value
        if letter == "f" and (named_last or length - 1 not in entries):
            sizes[-1] = last
        if None in sizes:
            missing = f"{letter}{sizes.index(None) + 1}"
            layers = f"depth is {depth}" if depth is not None else f"{name} has {length} entries"
            raise ConfigError(f"{missing}: must be given as a parameter or a constant, because {layers}")
        fields[name] = tuple(sizes)
    return fields
