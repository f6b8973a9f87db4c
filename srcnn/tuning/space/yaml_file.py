"""Reader of YAML files that a person names, as nodes, which contain their line numbers.

A few hundred bytes of YAML can stand for gigabytes, because an alias repeats what its anchor names and aliases may nest. So the
size of the file, its nesting depth and the number of its values are bounded while it is read; an alias counts with everything
that it repeats.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, cast

import yaml

from srcnn.errors import ConfigError
from srcnn.system.bounded_read import DEPTH, read_text
from srcnn.tuning.space.shipped_spaces import readable, shipped_names

__all__ = ["NODES", "SIZE", "compose"]

#: Maximum size in bytes: 90 times the largest file of the package; reading it takes a second.
SIZE = 256 << 10
#: Maximum number of names and values, those repeated by aliases included; the largest file of the package has 600.
NODES = 20_000


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with bounds. It reads one event after the other, so it ends where a bound is passed."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._deepest = self._count = 0
        self._known: dict[
            int, tuple[int, int]
        ] = {}  # number of nodes and height of what a finished node holds, by its id

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node, as PyYAML does."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        before, above = self._count, self._deepest
        self._depth += 1
        self._deepest = self._depth
        self._bound(event, self._depth, 1)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._known:
                raise _wrong(event, f"alias {event.anchor!r} stands inside of what it repeats")
            size, height = self._known[id(node)]
            self._bound(event, self._depth + height, size - 1)
        else:
            self._known[id(node)] = self._count - before, self._deepest - self._depth
        self._deepest = max(self._deepest, above)
        self._depth -= 1
        return node

    def _bound(self, event: yaml.Event, depth: int, more: int) -> None:
        self._count += more
        self._deepest = max(self._deepest, depth)
        if depth > DEPTH:
            raise _wrong(event, f"must nest at most {DEPTH} deep, but nests deeper")
        if self._count > NODES:
            raise _wrong(event, f"must have at most {NODES} values, repeated ones included, but has more")


def _wrong(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    found = yaml.MarkedYAMLError(problem=problem)
    found.problem_mark = cast(yaml.Mark, event.start_mark)
    return found


def compose(path: Path) -> yaml.Node | None:
    """Read a YAML file as nodes, which contain their line numbers. A file that does not exist may be one of the package.

    Raises:
        ConfigError: the file is missing, too large, or not YAML; the message names file and line.
    """
    try:
        loader = _Loader(read_text(readable(path), SIZE))
        try:
            node: yaml.Node | None = loader.get_single_node()
            return node
        finally:
            loader.dispose()
    except FileNotFoundError as error:
        known = "" if path.parts[1:] else f"; the package has {', '.join(shipped_names())}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}){known}") from None
    except OSError as error:
        if error.errno in (errno.EILSEQ, errno.EINVAL, errno.EFBIG, errno.EISDIR):  # a rule of `read_text`
            raise ConfigError(f"{path}: {error.strerror}") from None
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        text = error.problem or "not known why"
        raise ConfigError(f"{path}:{line}: {text if text.startswith('must ') else f'is not YAML: {text}'}") from None
    except yaml.YAMLError:  # a control character, for which there is no line number
        raise ConfigError(f"{path}: is not YAML") from None
