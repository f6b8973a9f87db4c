"""The papers' names for entries of a network's lists: ``n1``, ``f2``, ``f_last``, ``n_rest`` and ``depth``.

``n1`` is the number of filters of the first layer, ``f2`` the kernel size of the second, ``f_last`` that of the last,
``n_rest`` and ``f_rest`` every entry that has no name of its own.
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
_REST = {"n_rest": "filters", "f_rest": "kernels"}
_LISTS = {"n": "filters", "f": "kernels"}


def is_entry(name: str) -> bool:
    """Whether a name stands for entries of a list: n1, f2, f_last, n_rest."""
    return name in _REST or _ENTRY.match(name) is not None


def _position(name: str) -> tuple[str, int] | None:
    """``n2`` -> ("filters", 1); the last entry is -1; None for a field's own name."""
    match = _ENTRY.match(name)
    if match is None:
        return None
    return _LISTS[match[1] or match[3]], -1 if match[4] else int(match[2]) - 1


def field_of(name: str) -> str:
    """The field that a parameter is a part of."""
    place = _position(name)
    return "kernels" if name == "depth" else _REST.get(name, name) if place is None else place[0]


def entry_of(name: str, config: TrainConfig) -> Value:
    """The value of a parameter in a configuration; None if it has no such entry."""
    if name == "depth":
        return config.depth
    if name in _REST:  # a guess that `values_of` checks: the first layer is the one that mostly has a name of its own
        sizes = getattr(config, _REST[name])
        return int(sizes[min(1, len(sizes) - 1)])
    place = _position(name)
    if place is None:
        value = getattr(config, name)
        return "-".join(map(str, value)) if isinstance(value, tuple) else value
    sizes = getattr(config, place[0])
    return int(sizes[place[1]]) if place[1] < len(sizes) else None


def to_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by parameter name -> fields of `TrainConfig`: ``n1`` and ``n2`` become entries of ``filters``."""
    fields = {name: value for name, value in values.items() if not is_entry(name) and name != "depth"}
    depth = values.get("depth")
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 2):
        raise ConfigError(f"depth: must be a whole number from 2, but got {depth!r}")
    for letter, name in _LISTS.items():
        entries = {place[1]: v for n, v in values.items() if (place := _position(n)) and place[0] == name}
        rest = values.get(f"{letter}_rest")
        if not entries and depth is None and rest is None:
            continue
        default = TrainConfig.model_fields[name].default
        given = TrainConfig(**{name: fields[name]}).model_dump()[name] if name in fields else default
        named_last = -1 in entries  # f_last decides over the f_i of the same place
        last = entries.pop(-1, given[-1] if letter == "f" else None)
        length = max([len(given), *(i + 1 for i in entries)])
        if depth is not None:
            length = depth if letter == "f" else depth - 1
        # The list's own last kernel stays the last one, however many layers come before it.
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
            raise ConfigError(f"{missing}: must be given where {layers}, as a parameter or a constant")
        fields[name] = tuple(sizes)
    return fields
