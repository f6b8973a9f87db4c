"""The journal before MLflow: what counts is kept through any end, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.tuning.tracking.journal import Journal, unsent


def steps(journal: Journal) -> list[int]:
    return [operation["step"] for _, operation in journal.read()]


def test_what_counts_is_there_after_any_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in range(3):
        journal.append({"step": step})
    known = journal.length  # a state that Tune keeps knows of three
    journal.append({"step": 3})
    journal.commit(known)
    assert steps(journal) == [0, 1, 2]
    with journal.file.open("ab") as file:
        file.write(b'{"step": 4, "half of a li')  # killed while writing
    assert unsent(tmp_path, known) == 3
    again = Journal(tmp_path, known)
    assert steps(again) == [0, 1, 2]
    again.append({"step": 5})
    again.commit()
    again.sent = known
    again.mark()
    assert unsent(tmp_path, 0) == 1
    assert steps(Journal(tmp_path)) == [5]
    assert unsent(tmp_path / "nowhere", 0) == 0


def test_nothing_counts_that_no_state_knows_of(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append({"step": 0})
    assert steps(Journal(tmp_path)) == []
    journal = Journal(tmp_path)
    journal.append({"step": 1})
    journal.drop()
    journal.append({"step": 2})
    journal.commit()
    assert steps(journal) == [2]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    found = Journal(tmp_path)
    for trial in "abc":
        found.append({"do": "status", "trial": trial, "status": "RUNNING"})
    return found
