"""Folders of the user on this machine, and paths as a person types them."""

from __future__ import annotations

import os
from pathlib import Path

from srcnn.errors import ConfigError

__all__ = ["cache_folder", "typed_path"]


def typed_path(given: str | Path, name: str) -> Path:
    """Return a path as a person types it: ``~`` is the home folder, ``~user`` that of another user.

    Args:
        given: the path.
        name: flag, field or environment variable that it comes from, for the message.

    Raises:
        ConfigError: it is empty, has a null character, or there is no such user.
    """
    text = str(given)
    if not text.strip() or "\0" in text:
        raise ConfigError(f"{name}: must be a path, but got {text!r}")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user, or no home folder
        raise ConfigError(
            f"{name}: there is no home folder for {Path(text).parts[0]!r}, but got {text[:200]!r}"
        ) from None


def cache_folder() -> Path:
    """Return the folder of cached data: ``$SRCNN_CACHE``, else ``srcnn`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        ConfigError: the variable names the home folder of a user that does not exist, or there is no home folder.
    """
    given = os.environ.get("SRCNN_CACHE")
    if given:
        return typed_path(given, "SRCNN_CACHE")
    return typed_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "SRCNN_CACHE") / "srcnn"
