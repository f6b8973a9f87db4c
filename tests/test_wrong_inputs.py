"""Wrong inputs to all commands: one line that says what is wrong, exit code 2, nothing written, no traceback, no gigabytes.

The rows are in ``tests/wrong_inputs_AREA.py``; ``tests/wrong_inputs.py`` runs one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from srcnn.commands.main import COMMANDS

from wrong_inputs import Case, Runner, all_cases, complaints, run_case

CASES = all_cases()


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_a_wrong_input_is_refused_in_one_line(case: Case, runner: Runner, tmp_path: Path) -> None:
    found = complaints(case, run_case(runner, case, tmp_path))
    assert not found, f"srcnn {' '.join(case.argv)}:\n" + "\n".join(found)


def test_every_command_has_wrong_inputs() -> None:
    counts = Counter(case.argv[0] for case in CASES)
    assert set(COMMANDS) <= set(counts)


def test_the_runner_sees_what_a_case_writes_and_how_it_ends(runner: Runner, tmp_path: Path) -> None:
    """The other way round: a valid command, which writes a file and prints no error."""
    case = Case("valid", ("evaluate", "--model", "bicubic", "--data", "sample/test", "--scale", "3"), "nothing")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = run_case(runner, case, tmp_path / "a")
    assert (plain.code, plain.error, plain.written, plain.hung) == (0, "", (), False)
    assert len(complaints(case, plain)) == 3  # the code, the line, and what the line says
    writing = Case("writing", (*case.argv, "--json", "{dir}/scores.json"), "nothing")
    ran = run_case(runner, writing, tmp_path / "b")
    assert [Path(path).name for path in ran.written] == ["scores.json"]
    assert 0 < ran.memory < 2**30
