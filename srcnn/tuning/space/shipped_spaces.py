"""The search spaces and tables that come with the package: ``search_spaces/`` in a checkout, a copy of it in a wheel.

They are found by name, so that a search outside the checkout needs no file of its own: ``--space default.yaml``.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["readable", "shipped", "shipped_names"]

_PACKAGE = Path(__file__).parents[2]
#: The copy that ``setup.py`` puts into a wheel, and the folder beside the package.
_FOLDERS = (_PACKAGE / "_search_spaces", _PACKAGE.parent / "search_spaces")


def shipped(name: str | Path = "") -> Path | None:
    """Return a shipped file or folder, such as ``default.yaml``, ``default``, ``paper/depth.yaml`` or ``search_spaces/paper``.

    Args:
        name: relative to the folder of search spaces, with or without the name of the folder itself and ``.yaml``.

    Returns:
        Its path; None if there is no such file, the name is absolute, or it leads out of the folder.
    """
    parts = Path(name).parts
    inside = Path(*parts[1:] if parts[:1] == ("search_spaces",) else parts)
    if inside.is_absolute() or ".." in parts:
        return None
    for folder in _FOLDERS:
        for path in (folder / inside, folder / f"{inside}.yaml"):
            if path.exists():
                return path
    return None


def readable(path: Path) -> Path:
    """Return the path itself if it exists, else the shipped file of this name, else the path itself."""
    return path if path.exists() else shipped(path) or path


def shipped_names() -> list[str]:
    """Return the names of the shipped search spaces, without folders."""
    folder = shipped()
    return [] if folder is None else sorted(path.name for path in folder.glob("*.yaml"))
