"""Function calls in a separate process, so that their GPU memory is released when the process ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from srcnn.errors import SearchError

__all__ = ["in_own_process", "one_process"]

P = ParamSpec("P")
T = TypeVar("T")


def in_own_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a module-level function in a new process and return its result, or raise its exception.

    Raises:
        SearchError: the process died.
    """
    with one_process() as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool:
            raise SearchError(f"{function.__name__}: the process died, possibly out of memory") from None


def one_process(setup: Callable[..., None] | None = None, *args: object) -> ProcessPoolExecutor:
    """Return a pool of one new process that has called ``setup(*args)``.

    The process is spawned, because CUDA cannot be used after a fork.
    """
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=setup, initargs=args)  # type: ignore[arg-type]
