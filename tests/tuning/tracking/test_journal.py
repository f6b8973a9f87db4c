"""The write-ahead log: committed entries survive any end, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.errors import SearchError
from srcnn.tuning.tracking.journal import Journal, unsent
from srcnn.tuning.tracking.operations import LogMetrics


def steps(journal: Journal) -> list[int]:
    return [operation.step for _, operation in journal.read() if isinstance(operation, LogMetrics)]


def step(number: int) -> LogMetrics:
    return LogMetrics("a", number, {}, 0)


def test_what_counts_is_there_after_any_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(step(number))
    known = journal.length  # a state that Tune keeps knows of three
    journal.append(step(3))
    journal.commit(known)
    assert steps(journal) == [0, 1, 2]
    with journal.file.open("ab") as file:
        file.write(b'{"step": 4, "half of a li')  # killed while writing
    assert unsent(tmp_path, known) == 3
    again = Journal(tmp_path, known)
    assert steps(again) == [0, 1, 2]
    again.append(step(5))
    again.commit()
    again.sent = known
    again.mark()
    assert unsent(tmp_path, 0) == 1
    assert steps(Journal(tmp_path)) == [5]
    assert unsent(tmp_path / "nowhere", 0) == 0


def test_nothing_counts_that_no_state_knows_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(step(0))
    assert steps(Journal(tmp_path)) == []
    journal = Journal(tmp_path)
    journal.append(step(1))
    journal.truncate_uncommitted()
    journal.append(step(2))
    journal.commit()
    assert steps(journal) == [2]


@pytest.mark.parametrize(
    "line", ['{"do": "metr', "[1]", '{"do": "new"}', '{"do": "end", "trial": "a"}', "[" * 5000, "\xff"]
)
def test_a_damaged_log_is_named(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path)
    journal.append(step(1))
    with journal.file.open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    with pytest.raises(
        SearchError, match=r"tracking.jsonl: must have one operation a line, but the one before byte \d+ is damaged"
    ):
        unsent(tmp_path, journal.file.stat().st_size)
