"""Faults at the points at which a job writes: the points are found, each fault does what it says, and a slice of two jobs."""

from __future__ import annotations

import re
from pathlib import Path

import faults
import pytest

from srcnn.commands.command_line import run
from srcnn.system.atomic_file import atomic_write

from _faults.cases import Job, State, run_job
from _faults.points import FAULTS, Fault, Point


def _nothing(folder: Path) -> None:
    """The job starts from an empty folder."""


def _content(folder: Path) -> State:
    return {"text": (folder / "a.txt").read_text(encoding="utf-8")}


def _careful(folder: Path) -> int:
    def work() -> int:
        with atomic_write(folder / "a.txt") as file:
            file.write_text("whole" * 10, encoding="utf-8")
        return 0

    return run(work, "")


def _careless(folder: Path) -> int:
    """Writes in place, and believes what is there."""
    file = folder / "a.txt"
    if not file.exists():
        file.write_text("whole" * 10, encoding="utf-8")
    return 0


def test_a_job_that_writes_atomically_passes_at_every_point(tmp_path: Path) -> None:
    tally = run_job(Job("careful", _nothing, _careful, _content), tmp_path / "job", tmp_path / "done.jsonl")
    assert tally.problems == []
    names = {re.sub(r" in .*", "", line) for line in _names(tmp_path / "job/points.txt")}
    assert names == {
        *("open .writing-*.txt", "write .writing-*.txt", "fsync .writing-*.txt"),
        *("rename a.txt", "unlink .writing-*.txt"),
    }
    assert tally.points == 6  # opened to write, and again for the fsync
    assert tally.cases == {"kill": 6, "torn": 1, "eio": 6, "enospc": 3}
    assert tally.ends["killed"] == 7 and tally.ends["one line"] >= 6
    assert tally.left == {
        ".writing-": 5
    }  # of the killed ones, but the one after the rename and the one before the file
    again = run_job(Job("careful", _nothing, _careful, _content), tmp_path / "job", tmp_path / "done.jsonl")
    assert again.cases == tally.cases  # none was run again


def _names(log: Path) -> list[str]:
    return [line.split('"')[1] for line in log.read_text(encoding="utf-8").splitlines()]


def test_a_job_that_writes_in_place_is_found_out(tmp_path: Path) -> None:
    tally = run_job(Job("careless", _nothing, _careless, _content), tmp_path / "job", tmp_path / "done.jsonl")
    said = "\n".join(tally.problems)
    assert "careless: torn at write a.txt" in said
    assert "then text: wholewhole" in said
    assert "careless: eio at write a.txt" in said and "traceback: OSError: [Errno 5]" in said


def test_what_can_happen_at_a_point() -> None:
    kinds = {
        operation: [kind for kind in FAULTS if Fault(kind, Point(f"{operation} a in b", 1)).possible]
        for operation in ("write", "unlink", "fsync", "store")
    }
    assert kinds == {
        "write": ["kill", "torn", "eio", "enospc"],
        "unlink": ["kill", "eio"],
        "fsync": ["kill", "eio"],
        "store": ["kill", "torn", "eio", "lost", "enospc"],
    }


@pytest.mark.parametrize("job", ["upscale", "fetch"])
def test_a_slice_of_a_job_passes(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.main([job, "--some", "--slice", "7/40", "--folder", str(tmp_path)]) == 0
    assert '"problems": 0' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["upscale", "--slice", "3/2"], r"error: --slice: must be K/N with 1 <= K <= N, such as 1/20, but got '3/2'\n"),
        (["upscale", "--faults", "kill,flood"], r"error: --faults: must be any of kill,.*, but got 'flood'\n"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert faults.main(flags) == 2
    assert re.fullmatch(said, capsys.readouterr().err)
