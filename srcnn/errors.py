"""One exception tree, so that a caller can catch as much or as little as it wants.

::

    SRCNNError                 everything that this package raises on purpose
    ├── ConfigError            a field, flag or search space breaks a rule (also a ValueError)
    ├── DataError              an image, folder or data set is missing, corrupt or too small
    ├── CheckpointError        a weights file is missing, foreign or damaged
    │   └── NoSpaceError       no space is left on the disk where one is to be written
    ├── DeviceError            a GPU that was there cannot be used any more
    ├── SearchError            a search cannot start, resume or finish
    │   └── SearchExistsError  a new search has the name of one that is there
    └── TrainingError          a run ended for a reason of its own
        ├── DivergenceError    the loss is NaN or infinite
        └── DeadNetworkError   no gradient reaches the weights any more

A message is one line and states the field or file, the rule and the value that broke it. The commands in
``experiments/`` print that line and exit with code 2; anything outside this tree is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DeadNetworkError",
    "DeviceError",
    "DivergenceError",
    "NoSpaceError",
    "SRCNNError",
    "SearchError",
    "SearchExistsError",
    "TrainingError",
    "unknown_name",
]


class SRCNNError(Exception):
    """Base of the tree; the message is one line for a person."""


class ConfigError(SRCNNError, ValueError):
    """A configuration field, command-line flag or search space breaks a rule."""


class DataError(SRCNNError):
    """An image, folder or data set is missing, corrupt or too small."""


class CheckpointError(SRCNNError):
    """A weights file is missing, foreign or damaged."""


class NoSpaceError(CheckpointError):
    """No space is left on the disk where a weights file is to be written."""


class DeviceError(SRCNNError):
    """A GPU that was there cannot be used any more; another attempt may get another one."""


class SearchError(SRCNNError):
    """A search cannot start, resume or finish."""


class SearchExistsError(SearchError):
    """A new search has the name of one that is there."""


class TrainingError(SRCNNError):
    """A training run ended for a reason of its own."""


class DivergenceError(TrainingError):
    """The loss became NaN or infinite."""


class DeadNetworkError(TrainingError):
    """No gradient reaches the weights any more: every unit of some layer is switched off."""


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """The sentence for a name that does not exist: what it was, and the names there are, nearest first."""
    names = list(valid)
    near = difflib.get_close_matches(name, names, n=len(names), cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    rest = [n for n in names if n not in near]
    return f"{kind} {name!r} does not exist; {hint}there are: {', '.join(near + rest)}"
