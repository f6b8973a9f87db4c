"""A call in a process of its own gives its result or its error, and a process that dies is named."""

from __future__ import annotations

import math
import os

import pytest

from srcnn.errors import SearchError
from srcnn.system.own_process import in_own_process, one_process


def test_the_result_comes_from_another_process() -> None:
    assert in_own_process(os.getpid) != os.getpid()


def test_an_error_is_the_callers() -> None:
    with pytest.raises(ValueError, match=r"math domain error"):
        in_own_process(math.sqrt, -1.0)


def test_a_process_that_dies_is_named() -> None:
    with pytest.raises(SearchError, match="_exit: the process died"):
        in_own_process(os._exit, 3)


def test_one_process_serves_several_calls_after_its_setup() -> None:
    with one_process(os.umask, 0o027) as pool:  # type: ignore[arg-type]  # what a setup returns is dropped
        first, second = (pool.submit(os.getpid).result() for _ in range(2))
        assert first == second
        assert pool.submit(os.umask, 0).result() == 0o027
