"""Folders of the user on this machine."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """Return the folder of cached data: ``$SRCNN_CACHE``, else ``srcnn`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    given = os.environ.get("SRCNN_CACHE")
    if given:
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "srcnn"
