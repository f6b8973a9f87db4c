"""Signals end a search in good order, the second one at once; a cluster that is not there is one line."""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray

from srcnn.errors import SearchError
from srcnn.tuning.driver.cluster import Cluster, Interrupt, be_quiet, end_in_good_order


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """What arrives where Tune listens while it runs."""
    came: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: came.append(number))
    yield came
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops_tune_and_the_second_ends_at_once(stops: list[int], number: signal.Signals) -> None:
    with Interrupt() as interrupt:
        assert not interrupt.came
        signal.raise_signal(number)
        assert interrupt.came
        assert stops == [signal.SIGUSR1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stops == [signal.SIGUSR1]  # Tune is not asked twice


def test_the_handlers_from_before_are_put_back(stops: list[int]) -> None:
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in kinds]
    with pytest.raises(ZeroDivisionError), Interrupt():
        assert [signal.getsignal(number) for number in kinds] != before
        _ = 1 / 0
    assert [signal.getsignal(number) for number in kinds] == before


def test_a_stop_of_ones_own_is_no_interrupt(stops: list[int]) -> None:
    """A full disk ends a stage by the same signal, and the caller is not to say that somebody interrupted."""
    with Interrupt() as interrupt:
        end_in_good_order()
        assert stops == [signal.SIGUSR1]
        assert not interrupt.came


def test_beside_the_main_thread_signals_are_left_alone() -> None:
    """Only the main thread may set a handler; a notebook may search in another one."""
    failed: list[BaseException] = []
    before = signal.getsignal(signal.SIGINT)

    def body() -> None:
        try:
            with Interrupt() as interrupt:
                assert signal.getsignal(signal.SIGINT) == before
                assert not interrupt.came
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert failed == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionError("nobody answers"), ("address", "ray://nowhere:1", "nobody answers")),
        (ValueError("no port"), ("address", "ray://nowhere:1", "no port")),
        (RuntimeError("another version"), ("address", "ray://nowhere:1", "another version")),
        (ImportError("no grpc"), ("address", "ray://nowhere:1", "srcnn[cluster]")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_why_a_cluster_cannot_be_joined_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: tuple[str, ...]
) -> None:
    """Ray starts in another thread, and its error reaches the caller."""

    def fails(**options: Any) -> None:
        assert options["address"] == "ray://nowhere:1"
        raise error

    monkeypatch.setattr(ray, "init", fails)
    before = threading.active_count()
    with pytest.raises(SearchError) as caught, Cluster("ray://nowhere:1") as cluster:
        cluster.wait()
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)
    assert threading.active_count() == before  # and no thread stays behind


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EMFILE, "Too many open files"),
            "Too many open files; a limit on open files is too low (ulimit -n)",
        ),
        (BlockingIOError(errno.EAGAIN, "Resource unavailable"), "a limit on processes is too low (ulimit -u)"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (
            RuntimeError("can't start new thread"),
            "can't start new thread; the machine is too busy, or a limit on processes",
        ),
        (
            Exception("The current node timed out during startup. This"),
            "the machine is too busy, or a limit on processes",
        ),
    ],
)
def test_why_ray_does_not_start_here_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, words: str) -> None:
    def fails(**options: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(SearchError) as caught, Cluster(None) as cluster:
        cluster.wait()
    assert str(caught.value).startswith("ray: cannot be started on this machine: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_a_limit_on_processes_is_known_before_ray_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(ray, "init", lambda **options: started.append(options["address"]))
    own, limits = os.geteuid(), {"limit": 100}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits["limit"], limits["limit"]))
    monkeypatch.setattr(os, "geteuid", lambda: own or 12345)  # the limit does not bind root
    with pytest.raises(
        SearchError, match=r"at least 180 processes and threads, and this user has \d+ of 100 \(ulimit -u\)$"
    ):
        Cluster(None).__enter__()
    assert started == []
    limits["limit"] = 100_000
    with Cluster(None) as cluster:
        cluster.wait()
    assert started == ["local"]


def test_a_folder_for_temporary_files_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real Ray, which fails before it starts a process."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "file" / "none"))
    with pytest.raises(SearchError) as caught, Cluster(None) as cluster:
        cluster.wait()
    assert str(tmp_path / "file") in str(caught.value)
    assert str(caught.value).endswith("which RAY_TMPDIR or TMPDIR names")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ZeroDivisionError("a defect")])
def test_an_error_of_another_kind_is_not_hidden(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A full disk has words of its own, and a defect its traceback."""

    def fails(**options: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(type(error), match=str(error.args[-1])), Cluster(None) as cluster:
        cluster.wait()


def test_a_search_never_joins_a_ray_that_happens_to_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(ray, "init", lambda **options: asked.append(options["address"]))
    with Cluster(None) as cluster:
        cluster.wait()
    assert asked == ["local"]


def test_a_ray_that_runs_already_is_used_and_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "init", lambda **options: called.append("init"))
    monkeypatch.setattr(ray, "shutdown", lambda: called.append("shutdown"))
    with Cluster("auto") as cluster:
        cluster.wait()
    assert called == []


@pytest.fixture
def loud() -> Iterator[None]:
    """Puts back afterwards what `be_quiet` changes."""
    loggers = [logging.getLogger(name) for name in ("ray", "ray.tune", "alembic", "mlflow")]
    levels, optunas = [one.level for one in loggers], optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)
    optuna.logging.set_verbosity(optunas)


def test_errors_of_the_libraries_are_heard_and_their_news_is_not(loud: None) -> None:
    be_quiet()
    for name in ("ray", "alembic", "mlflow"):
        logger = logging.getLogger(f"{name}.part")
        assert not logger.isEnabledFor(logging.WARNING), name
    assert logging.getLogger("mlflow.part").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("ray.tune.part").isEnabledFor(logging.ERROR)  # every caller is told of failed trials
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
    with warnings.catch_warnings(record=True) as said:
        warnings.warn("new", optuna.exceptions.ExperimentalWarning, stacklevel=1)
    assert said == []
