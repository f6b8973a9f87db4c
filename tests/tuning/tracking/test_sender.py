"""What counts is sent once and in order, whatever the store does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException, RestException

from srcnn.errors import SearchError
from srcnn.tuning.tracking.journal import Journal, unsent
from srcnn.tuning.tracking.sender import Sender, batched


def metrics(trial: str, step: int) -> dict[str, Any]:
    return {"do": "metrics", "trial": trial, "metrics": {"loss": step / 10}, "time": 7, "step": step}


def test_what_a_run_is_told_in_a_row_is_one_request_and_stays_in_order() -> None:
    made = {"do": "run", "trial": "a", "params": {"n1": "64"}, "name": "x", "tags": {}, "dataset": {}, "time": 1}
    end = {"do": "end", "trial": "a", "status": "FINISHED", "time": 9}
    tags = {"do": "tags", "trial": "a", "tags": {"outcome": "finished"}}
    found = batched([made, metrics("a", 1), metrics("b", 1), metrics("a", 2), tags, end])
    assert [(operation["do"], operation["trial"]) for operation in found] == [
        ("run", "a"),
        ("batch", "a"),
        ("end", "a"),
        ("batch", "b"),
    ]
    assert found[1]["metrics"] == [("loss", 0.1, 7, 1), ("loss", 0.2, 7, 2)]
    assert found[1]["params"] == {"n1": "64"}
    assert found[1]["tags"] == {"outcome": "finished"}
    many = batched([metrics("a", step) for step in range(2000)])
    assert [len(operation["metrics"]) <= 1000 for operation in many] == [True] * 3


class Store:
    """Stands in for the runs of a store: away for some calls, and refusing some requests for good."""

    def __init__(self, away: int, refuses: str = "") -> None:
        self.away, self.refuses = away, refuses
        self.done: list[tuple[str, bool]] = []
        self.unknown: set[str] = set()  # trials whose run the store refused

    def apply(self, operation: dict[str, Any], *, again: bool = False) -> None:
        if self.away:
            self.away -= 1
            raise MlflowException("Max retries exceeded")
        if operation["trial"] == self.refuses:
            raise RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"})
        if operation["trial"] in self.unknown:
            raise KeyError(operation["trial"])
        self.done.append((operation["trial"], again))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    found = Journal(tmp_path)
    for trial in "abc":
        found.append({"do": "status", "trial": trial, "status": "RUNNING"})
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


def test_patience_with_a_store_that_stays_away_ends(journal: Journal) -> None:
    sender = Sender(journal, Store(away=10**6), "http://somewhere")  # type: ignore[arg-type]
    journal.commit()
    with pytest.raises(SearchError, match=r"tracking-uri: http://somewhere is away .* the 3 operations that it lacks"):
        sender.flush(patience=0.8)
    sender.close()
    assert unsent(journal.file.parent, journal.committed) == 3
