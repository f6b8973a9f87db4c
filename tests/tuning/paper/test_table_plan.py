"""A table with its images and settings: checked whole before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from srcnn.errors import ConfigError
from srcnn.tuning.paper.table_plan import TableSettings, plan_table

TABLE = {
    "title": "Small",
    "question": "Which?",
    "source": "nowhere",
    "rows": [{"name": "a", "config": {"filters": "8-8"}}, {"name": "b", "config": {"filters": "4-4"}}],
    "budgets": {"smoke": {"pixels": [2.0e4, 4.0e4], "seeds": 2, "sample": True}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(TABLE), encoding="utf-8")
    return file


def test_a_plan_has_a_cell_for_each_row_length_and_seed(path: Path, tmp_path: Path) -> None:
    plan = plan_table(TableSettings(table=str(path), budget="smoke", storage=str(tmp_path / "ray")))
    assert (plan.name, plan.folder) == ("own-smoke", tmp_path / "ray" / "own-smoke")
    assert len(plan.cells) == 2 * 2 * 2 == len({plan.key(cell) for cell in plan.cells})
    assert len(plan_table(TableSettings(table=str(path), budget="smoke", seeds=1, name="n")).cells) == 4


def test_mistakes_are_named_before_anything_is_written(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"budget: must be one of smoke for .*own\.yaml, but got 'cpu'"):
        plan_table(TableSettings(table=str(path)))
    with pytest.raises(ConfigError, match="table 'filtersize' does not exist; did you mean 'filter_size'"):
        plan_table(TableSettings(table="filtersize"))
    with pytest.raises(ConfigError, match="budget 'smok' does not exist; did you mean 'smoke'"):
        TableSettings(table=str(path), budget="smok")
