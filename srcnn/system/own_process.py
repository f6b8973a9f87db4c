"""A call in a process of its own: whatever it takes of a GPU is given back when the process ends."""

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
    """Call a function of a module in a new process that ends with it; its result, or its error.

    Raises:
        SearchError: the process died.
    """
    with one_process() as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool:
            raise SearchError(f"{function.__name__}: the process that measures died; out of memory, perhaps") from None


def one_process(setup: Callable[..., None] | None = None, *args: object) -> ProcessPoolExecutor:
    """A process for several calls, after ``setup(*args)`` in it; it is a new one, since CUDA does not survive a fork."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=setup, initargs=args)  # type: ignore[arg-type]
