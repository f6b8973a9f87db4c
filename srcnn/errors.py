"""The exceptions of the package, as one tree: a caller can catch all of them or one kind.

::

    SRCNNError                 every error that the package raises deliberately
    ├── ConfigError            a field, flag or search space breaks a rule (also a ValueError)
    ├── DataError              an image, folder or data set is missing, corrupt or too small
    ├── CheckpointError        a weights file is missing, damaged or of another format
    │   └── NoSpaceError       the disk is full where one is to be written
    ├── DeviceError            a GPU cannot be used any more
    ├── SearchError            a search cannot start, resume or finish
    │   ├── SearchExistsError  a new search has the name of an existing one
    │   ├── SearchRunningError another process runs the search
    │   └── StateVersionError  another version of the project began the search
    └── TrainingError          a training run cannot continue
        ├── DivergenceError    the loss is NaN or infinite
        └── DeadNetworkError   no gradient reaches the weights

A message is one line that names the field or file, the rule, and the value that broke it. The commands print this line and exit
with code 2. Any other exception is a defect: they say so in one line, exit with code 1, and show its traceback with ``--debug``.
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
    "SearchRunningError",
    "StateVersionError",
    "TrainingError",
    "unknown_name",
]


class SRCNNError(Exception):
    """Base class of the package's errors. The message is one line for the user."""


class ConfigError(SRCNNError, ValueError):
    """A configuration field, command-line flag or search space breaks a rule."""


class DataError(SRCNNError):
    """An image, folder or data set is missing, corrupt or too small."""


class CheckpointError(SRCNNError):
    """A weights file is missing, damaged or of another format."""


class NoSpaceError(CheckpointError):
    """No space is left on the disk where a weights file is to be written."""


class DeviceError(SRCNNError):
    """A GPU that was there cannot be used any more; another attempt may get another one."""


class SearchError(SRCNNError):
    """A search cannot start, resume or finish."""


class SearchExistsError(SearchError):
    """A new search has the name of an existing one."""


class SearchRunningError(SearchError):
    """Another process runs the search, or works in its folder."""


class StateVersionError(SearchError):
    """The saved state of a search has the format of another version of the project."""


class TrainingError(SRCNNError):
    """A training run cannot continue."""


class DivergenceError(TrainingError):
    """The loss became NaN or infinite."""


class DeadNetworkError(TrainingError):
    """No gradient reaches the weights: all units of some layer output zero."""


def unknown_name(kind: str, name: str, valid: Iterable[str]) -> str:
    """Return the message for a name that does not exist: the name, then the valid names, the most similar first."""
    names = list(valid)
    near = difflib.get_close_matches(name, names, n=len(names), cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    rest = [n for n in names if n not in near]
    return f"{kind} {name!r} does not exist; {hint}there are: {', '.join(near + rest)}"
