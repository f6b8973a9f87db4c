"""Hyperparameter-search platform on top of the library; only this package uses Ray, Optuna and MLflow.

>>> import srcnn.tuning
>>> found = srcnn.tuning.search("my/photos", scales=3, trials=20)  # doctest: +SKIP
>>> network = found.champion(3)  # doctest: +SKIP

``search`` and ``open_search`` are functions of `srcnn.tuning.interactive`. They are loaded when they are first used, since Ray
and MLflow take seconds to load; no module or package of `srcnn.tuning` may have one of their names, because Python would put it
in their place. The package with a search's stages is `srcnn.tuning.whole_search`.

Importing this package has no side effects. Programs that start Ray themselves call `configure` first; ``search`` does so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srcnn.tuning.adapters.environment import configure

if TYPE_CHECKING:
    from srcnn.tuning.interactive.found_search import FoundSearch
    from srcnn.tuning.interactive.search import open_search, search

__all__ = ["FoundSearch", "configure", "open_search", "search"]

_LATER = {
    "FoundSearch": "srcnn.tuning.interactive.found_search",
    "open_search": "srcnn.tuning.interactive.search",
    "search": "srcnn.tuning.interactive.search",
}

if not TYPE_CHECKING:  # a type checker would accept every name

    def __getattr__(name: str) -> object:
        """Load a function of `srcnn.tuning.interactive` when it is first used."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        found = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
        return found


def __dir__() -> list[str]:
    """Return the public names, also those that are not loaded yet."""
    return sorted({*globals(), *__all__})
