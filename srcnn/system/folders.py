"""Folders of the user on this machine, and paths as a person types them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from srcnn.errors import ConfigError

__all__ = ["cache_folder", "check_file", "check_folder", "typed_path"]

_SHOWN = 200  # characters of a path in a message


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


def check_folder(path: Path, name: str) -> None:
    """Check that a path is a folder, or could become one: that nothing else lies there or in the place of a folder above.

    Args:
        path: the path.
        name: flag or field that it comes from, for the message.

    Raises:
        ConfigError: something else lies there, a name is too long, or a link leads nowhere.
    """
    for place in (path, *path.parents):
        try:
            place.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:  # a name that is too long, a loop of links, a file in the place of a folder
            if error.errno != errno.ENOTDIR:
                raise ConfigError(f"{name}: must be a folder, but got {_short(path)} ({error.strerror})") from None
            continue
        if not place.is_dir():
            what = f"the file {_short(place)}" if place.is_file() else f"{_short(place)}, which is no folder"
            raise ConfigError(f"{name}: must be a folder, but got {what}")
        return


def check_file(path: Path, name: str) -> None:
    """Check that a file can be at a path: that no folder lies there, and nothing but folders above it.

    Args:
        path: the path.
        name: flag or field that it comes from, for the message.

    Raises:
        ConfigError: a folder lies there, something else above it, a name is too long, or links form a loop.
    """
    try:
        found = path.is_dir()  # of a loop of links it says False
        if not found and path.is_symlink():
            path.stat()
    except OSError as error:
        raise ConfigError(f"{name}: must be a file in a folder, but got {_short(path)} ({error.strerror})") from None
    if found:
        raise ConfigError(f"{name}: must be a file in a folder, but got the folder {_short(path)}")
    try:
        check_folder(path.parent, name)
    except ConfigError as error:
        raise ConfigError(str(error).replace("must be a folder", "must be a file in a folder", 1)) from None


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def cache_folder() -> Path:
    """Return the folder of cached data: ``$SRCNN_CACHE``, else ``srcnn`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        ConfigError: the variable names the home folder of a user that does not exist, or there is no home folder.
    """
    given = os.environ.get("SRCNN_CACHE")
    if given:
        return typed_path(given, "SRCNN_CACHE")
    return typed_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "SRCNN_CACHE") / "srcnn"
