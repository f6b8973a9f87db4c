"""Candidates: none that ran, the fixed values in all, and only valid configurations."""

import random
from pathlib import Path

import pytest

from srcnn.tuning.algorithms.candidates import Candidates
from srcnn.tuning.space.parameter import Value
from srcnn.tuning.space.space_file import load_space

from space_text import write

GRID = """
parameters:
  n1: {type: categorical, choices: [8, 16]}
  kernels: {type: categorical, choices: [9-1-5, 9-3-5]}
  scale: {type: categorical, choices: [2, 3]}
"""
OPEN = """
parameters:
  n1: {type: categorical, choices: [8, 16, 32]}
  learning_rate: {type: float, low: 1.0e-4, high: 1.0e-3, log: true}
constraints:
  max_parameters: 4000
"""


def _candidates(tmp_path: Path, text: str) -> Candidates:
    return Candidates(load_space(write(tmp_path, text)), random.Random(1))


def test_of_a_small_grid_all_that_did_not_run(tmp_path: Path) -> None:
    candidates = _candidates(tmp_path, GRID)
    ran = {candidates.key({"n1": 8, "kernels": "9-1-5", "scale": 3})}
    found = candidates.draw(ran, {"scale": 3}, ())
    assert sorted(candidates.key(row) for row in found) == [(8, "9-3-5", 3), (16, "9-1-5", 3), (16, "9-3-5", 3)]


def test_parents_are_varied_in_one_parameter(tmp_path: Path) -> None:
    parent = {"n1": 16, "learning_rate": 2e-4}
    found = _candidates(tmp_path, OPEN).draw(set(), {}, [parent])
    children = found[-20:]
    assert all(sum(row[name] != parent[name] for name in parent) <= 1 for row in children)


@pytest.mark.parametrize(("rows", "expected"), [([{"n1": 32}, {"n1": 8}], {"n1": 8}), ([{"n1": 32}], None)])
def test_the_first_that_satisfies_the_constraints(
    tmp_path: Path, rows: list[dict[str, int]], expected: dict[str, int] | None
) -> None:
    full: list[dict[str, Value]] = [{**row, "learning_rate": 2e-4} for row in rows]
    found = _candidates(tmp_path, OPEN).first_allowed(full)
    assert found == (None if expected is None else {**expected, "learning_rate": 2e-4})
