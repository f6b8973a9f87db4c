"""A table with its images and settings: checked whole before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from srcnn.champions.start import named_start
from srcnn.config.training import TrainConfig
from srcnn.errors import ConfigError, DataError
from srcnn.model.network import SRCNN
from srcnn.model.weights_file import save_network
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


def with_start(path: Path, **config: object) -> TableSettings:
    """Settings of a table whose second row may start from the champion at x3: it has its first layer."""
    first, _, side, _ = named_start("champion:3").weights["layers.0.weight"].shape
    like = {"kernels": f"{side}-1-5", "filters": f"{first}-8", **config}
    rows = [TABLE["rows"][0], {"name": "b", "config": like}]  # type: ignore[index]
    path.write_text(yaml.safe_dump({**TABLE, "rows": rows}), encoding="utf-8")
    return TableSettings(table=str(path), budget="smoke", seeds=1)


def test_a_row_may_start_from_another_network(path: Path) -> None:
    plain = plan_table(with_start(path))
    warm = plan_table(with_start(path, start="champion:3"))
    assert (dict(plain.starts), plain.warnings) == ({}, ())
    assert list(warm.starts) == ["champion:3"]
    digests = {(cell.row, cell.config.start, cell.config.start_digest) for cell in warm.cells}
    assert digests == {("a", "random", ""), ("b", "champion:3", warm.starts["champion:3"].digest)}
    assert (
        len({warm.key(cell) for cell in warm.cells} & {plain.key(cell) for cell in plain.cells}) == 2
    )  # those of row a
    assert warm.warnings[0].startswith("the images of sample/train were not compared with T91+BSDS300/train")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"kernels": "3-3", "filters": "8"}, r"champion:3 must have a layer of the same shape as in 3-3 \(8\) at x3"),
        ({"start_digest": "1" * 64}, r"the weights of champion:3 must have digest 1111"),
    ],
)
def test_a_row_that_cannot_start_from_its_network_is_named_before_anything_trains(
    path: Path, config: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^rows: 'b' with recipe 'ours' at x3: start: {says}"):
        plan_table(with_start(path, start="champion:3", **config))


def test_a_row_whose_network_has_seen_a_measured_image_is_refused_or_marked(path: Path, tmp_path: Path) -> None:
    config = TrainConfig(kernels="5-1-5", filters="4-8")
    origin = {"training": {"name": "sample/train", "digest": "0" * 16}, "validation": [], "left_out": [], "overlap": []}
    file = tmp_path / "seen.safetensors"
    save_network(file, SRCNN(config).state_dict(), config, {"origin": origin, "tests": ["sample/test"]})
    settings = with_start(path, kernels="5-1-5", filters="4-4", start=str(file))
    with pytest.raises(
        DataError, match=r"^rows: 'b': start: .*seen\.safetensors was trained on \d images that this run"
    ):
        plan_table(settings)
    (line,) = plan_table(settings.replace(allow_overlap=True)).warnings
    assert line.startswith("kept on request (--allow-overlap): ")
