"""Delivery to a store: at least once, in order, through outages and refusals."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException, RestException

from srcnn.errors import SearchError
from srcnn.tuning.tracking.journal import Journal, unsent
from srcnn.tuning.tracking.operations import (
    CreateRun,
    EndRun,
    LogFile,
    LogMetrics,
    LogText,
    Operation,
    SetStatus,
    SetTags,
)
from srcnn.tuning.tracking.sender import Batch, Sender, _final, batched


def metrics(trial: str, step: int) -> LogMetrics:
    return LogMetrics(trial, step, {"loss": step / 10}, 7)


def test_what_a_run_is_told_in_a_row_is_one_request_and_stays_in_order() -> None:
    made = CreateRun("a", "x", {"n1": "64"}, {}, {}, 1)
    end, tags = EndRun("a", "FINISHED", 9), SetTags("a", {"outcome": "finished"})
    found = batched([made, metrics("a", 1), metrics("b", 1), metrics("a", 2), tags, end])
    assert found == [
        made,
        Batch("a", [("loss", 0.1, 7, 1), ("loss", 0.2, 7, 2)], {"n1": "64"}, {"outcome": "finished"}),
        end,
        Batch("b", [("loss", 0.1, 7, 1)]),
    ]
    many = batched([metrics("a", step) for step in range(2000)])
    assert [isinstance(one, Batch) and len(one.metrics) <= 1000 for one in many] == [True] * 3


class Store:
    """Stands in for the runs of a store: away for some calls, and refusing some requests for good."""

    def __init__(self, away: int, refuses: str = "") -> None:
        self.away, self.refuses = away, refuses
        self.done: list[tuple[str | None, bool]] = []
        self.unknown: set[str] = set()  # trials whose run the store refused

    def apply(self, request: Operation | Batch, *, again: bool = False) -> None:
        if self.away:
            self.away -= 1
            raise MlflowException("Max retries exceeded")
        if request.trial == self.refuses:
            raise RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"})
        if request.trial in self.unknown:
            raise KeyError(request.trial)
        self.done.append((request.trial, again))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    found = Journal(tmp_path)
    for trial in "abc":
        found.append(SetStatus(trial, "RUNNING"))
    return found


def test_a_store_that_comes_back_is_sent_everything_once_and_in_order(journal: Journal) -> None:
    store = Store(away=2)
    sender = Sender(journal, store, "http://somewhere")  # type: ignore[arg-type]
    time.sleep(0.2)
    assert store.done == []  # nothing counts yet
    journal.commit()
    sender.flush(patience=30)
    assert [trial for trial, _ in store.done] == ["a", "b", "c"]
    assert store.done[0][1]  # it may have been done before the answer was lost
    assert journal.sent == journal.committed == journal.length
    sender.close()


def test_what_a_store_refuses_is_said_and_holds_up_nothing(journal: Journal) -> None:
    store = Store(away=0, refuses="b")
    store.unknown = {"c"}
    sender = Sender(journal, store, "http://somewhere")  # type: ignore[arg-type]
    journal.commit()
    sender.flush(patience=30)
    assert [trial for trial, _ in store.done] == ["a"]
    assert [words.partition(":")[0] for words in sender.refused] == ["status of b", "status of c"]
    assert "INVALID_PARAMETER_VALUE: too long" in sender.refused[0]
    sender.close()


@pytest.mark.parametrize(
    ("words", "code", "final"),
    [
        ("(sqlite3.OperationalError) attempt to write a readonly database", "TEMPORARILY_UNAVAILABLE", False),
        ("(sqlite3.DatabaseError) file is not a database", "BAD_REQUEST", False),
        ("(psycopg.errors.ReadOnlySqlTransaction) cannot execute INSERT in a read-only", "BAD_REQUEST", False),
        ("(psycopg2.errors.ReadOnlySqlTransaction) cannot execute INSERT", "BAD_REQUEST", False),
        ("(psycopg.errors.StringDataRightTruncation) value too long", "BAD_REQUEST", True),
        ("(sqlite3.IntegrityError) FOREIGN KEY constraint failed", "BAD_REQUEST", True),
        ("Changing param values is not allowed", "INVALID_PARAMETER_VALUE", True),
        ("denied", "PERMISSION_DENIED", False),
    ],
)
def test_what_is_sent_again_is_an_error_of_the_store_and_not_of_the_request(words: str, code: str, final: bool) -> None:
    """MLflow calls it a bad request too if its database is read-only for a while, on PostgreSQL after a failover."""
    assert _final(RestException({"error_code": code, "message": words}), SetStatus("a", "RUNNING")) is final


def test_a_file_that_is_missing_is_not_sent_again_but_an_artifact_whose_place_is_missing_is(tmp_path: Path) -> None:
    error = FileNotFoundError(2, "No such file or directory", "")
    (tmp_path / "there").touch()
    assert _final(error, LogFile("a", str(tmp_path / "gone"), None))
    assert not _final(error, LogFile("a", str(tmp_path / "there"), None))
    assert not _final(error, LogText("a", "text", "name"))


def test_patience_with_a_store_that_stays_away_ends(journal: Journal) -> None:
    sender = Sender(journal, Store(away=10**6), "http://somewhere")  # type: ignore[arg-type]
    journal.commit()
    with pytest.raises(SearchError, match=r"tracking-uri: http://somewhere is unavailable .* 3 operations are kept"):
        sender.flush(patience=0.8)
    sender.close()
    assert unsent(journal.file.parent, journal.committed) == 3
