"""One driver for a search: whether a search can be started or resumed now, and the lock that keeps others out meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from srcnn.errors import SearchExistsError
from srcnn.system.folder_lock import locked, refuse_if_locked
from srcnn.tuning.planning.settings import SearchSettings, has_begun

__all__ = ["check_free", "only_driver"]


def check_free(settings: SearchSettings, *, resume: bool) -> None:
    """Check that no process runs the search and that, unless it is resumed, there is none of this name. Nothing is written.

    Raises:
        SearchRunningError: a process runs it; the message names the process and its host.
        SearchExistsError: there is a search of this name, and ``resume`` is False.
    """
    refuse_if_locked(settings.folder, f"name: the search {settings.name}")
    _refuse_existing(settings, resume)


@contextmanager
def only_driver(settings: SearchSettings, *, resume: bool) -> Iterator[None]:
    """Inside the block, this process alone runs the search.

    Raises:
        SearchRunningError, SearchExistsError: as in `check_free`; another process may have begun the search since then.
        SearchError: the folder cannot be written.
    """
    with locked(settings.folder, f"name: the search {settings.name}"):
        _refuse_existing(settings, resume)
        yield


def _refuse_existing(settings: SearchSettings, resume: bool) -> None:
    if not resume and has_begun(settings.folder):
        raise SearchExistsError(f"name: a search {settings.name} exists; add --resume {settings.name} to continue it")
