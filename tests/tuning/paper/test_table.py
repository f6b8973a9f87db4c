"""Tables of the paper as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from srcnn.data.datasets import load
from srcnn.data.image_set import ImageSet
from srcnn.errors import ConfigError
from srcnn.tuning.paper.table import BUDGETS, cells, load_table, table_files
from srcnn.tuning.paper.table_images import table_images

from checkout import SPACES
from small_table import write

TABLES = table_files(SPACES / "paper")


def test_every_table_that_the_paper_asks_for_is_there() -> None:
    wanted = {"filter_number", "filter_size", "depth", "training_set", "scales", "colour", "learning_rate"}
    assert wanted | {"initialization", "article", "leak"} == set(TABLES)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_of_the_paper_is_valid_and_opens_with_its_question(name: str) -> None:
    table = load_table(TABLES[name])
    assert set(table.budgets) == set(BUDGETS)
    assert table.budgets["smoke"].sample
    head = TABLES[name].read_text(encoding="utf-8").splitlines()[:4]
    assert [line.partition(":")[0] for line in head] == ["# Question", "# Command", "# Cost", "# Expect"]
    for budget in table.budgets.values():
        made = cells(table, budget, 1, 20)
        apart = {(cell.config.model_dump_json(), cell.allow_overlap) for cell in made}
        assert len(apart) == len(made) or name == "training_set"


def test_a_folder_without_a_table_does_not_hide_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(table_files()) == set(TABLES)
    folder = tmp_path / "search_spaces" / "paper"
    folder.mkdir(parents=True)
    assert set(table_files()) == set(TABLES)
    (folder / "mine.yaml").touch()
    assert set(table_files()) == {"mine"}


def test_printed_figures_are_those_of_the_papers() -> None:
    """TPAMI 2016, tables 1 and 5; section 4.3.2; ECCV 2014, table 1."""
    sizes = load_table(TABLES["filter_size"])
    assert [row.paper["Set5/x3/psnr"] for row in sizes.rows] == [32.52, 32.66, 32.75, 32.57]
    numbers = load_table(TABLES["filter_number"])
    assert [row.paper["Set5/x3/psnr"] for row in numbers.rows] == [32.60, 32.52, 32.26]
    scales = load_table(TABLES["scales"]).rows[0].paper
    assert [scales[f"Set5/x{s}/psnr"] for s in (2, 3, 4)] == [36.34, 32.39, 30.09]
    assert scales["Set5/x4/psnr/butterfly"] == 25.07
    for scale in (2, 3, 4):  # the printed averages are those of the printed images
        images = [value for name, value in scales.items() if name.startswith(f"Set5/x{scale}/psnr/")]
        assert sum(images) / 5 == pytest.approx(scales[f"Set5/x{scale}/psnr"], abs=0.0101)
    colour = {row.name: row.paper for row in load_table(TABLES["colour"]).rows}
    assert colour["RGB"]["Set5/x3/color"] == 36.44
    assert colour["YCbCr"]["Set5/x3/Y"] == 29.25


def test_cells_come_seed_by_seed_and_short_before_long(tmp_path: Path) -> None:
    table = load_table(write(tmp_path))
    made = cells(table, table.budgets["smoke"], 2, 2)
    assert [(c.config.seed, c.length, c.row) for c in made] == [
        (seed, length, row) for seed in (123, 124) for length in (1000.0, 2000.0) for row in "ab"
    ]
    assert made[0].config.epoch_pixels == 500.0
    assert {cell.train for cell in made} == {"sample/train"}


def test_a_cell_is_known_by_its_configuration_and_its_images(tmp_path: Path) -> None:
    table = load_table(write(tmp_path))
    first, *others = cells(table, table.budgets["smoke"], 2, 2)
    images = load("sample/train")
    part = ImageSet("part", images.images[:3])
    assert len({one.key(images, part) for one in (first, *others)}) == 8
    assert first.key(part, part) != first.key(images, part)
    assert first.key(images, part) == cells(table, table.budgets["smoke"], 2, 2)[0].key(images, part)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": [{"name": "a"}, {"name": "a"}], "claims": []}, "rows: names must differ, but got a, a"),
        ({"claims": [{"text": "x", "kind": "order", "rows": ["a", "c"]}]}, "row of a claim 'c' does not exist"),
        ({"claims": [{"text": "x", "kind": "better", "rows": ["a"]}]}, "claims.0: kind: input should be 'order'"),
        ({"claims": [{"text": "x", "kind": "slower", "rows": ["a"]}]}, "claims: slower must compare two rows"),
        ({"budgets": {"huge": {"pixels": [1.0]}}}, "budget 'huge' does not exist"),
        ({"budgets": {"smoke": {"pixels": [2.0, 1.0]}}}, "must be positive and ascend"),
        ({"budgets": {"smoke": {"pixels": [1.0], "epochs": [1]}}}, "exactly one of pixels and epochs"),
        ({"recipes": {"ours": {"preset": "papr"}}}, "preset 'papr' does not exist"),
        ({"rows": [{"name": "a", "recipes": ["theirs"]}], "claims": []}, "recipe 'theirs' does not exist"),
        (
            {"rows": [{"name": "a", "config": {"kernels": "9-2-5"}}], "claims": []},
            "rows: 'a' with recipe 'ours' at x3: kernels",
        ),
        ({"rows": [{"name": "a", "config": {"kernel": "9-1-5"}}], "claims": []}, "field 'kernel' does not exist"),
        ({"tile": "x"}, "field 'tile' does not exist"),
        ({"shown": ["Set5/x4/psnr"], "claims": []}, "shown: the table does not measure Set5/x4/psnr, only Set5/x3"),
        ({"shown": ["Urban100/x3/psnr"], "claims": []}, "shown: the table does not measure Urban100/x3/psnr, only"),
        ({"shown": ["PSNR"], "claims": []}, "shown: 'PSNR': must be SET/xSCALE/FIGURE"),
        (
            {"claims": [{"text": "x", "kind": "order", "rows": ["a", "b"], "metric": "Set5/x2/psnr"}]},
            "claims: the table does not measure Set5/x2/psnr, only Set5/x3",
        ),
    ],
)
def test_mistakes_are_named_with_their_file(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError) as error:
        load_table(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_claim_without_a_metric_is_about_the_first_that_is_shown(tmp_path: Path) -> None:
    """A table of another scale would otherwise judge figures that it does not measure."""
    order = {"text": "a is better", "kind": "order", "rows": ["a", "b"]}
    path = write(tmp_path, scales=[4], shown=["Set14/x4/psnr", "Set5/x4/psnr"], claims=[order])
    table = load_table(path)
    assert table.metric_of(table.claims[0]) == "Set14/x4/psnr"


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"list.yaml:1: must be a mapping"):
        load_table(tmp_path / "list.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_table(tmp_path / "none.yaml")


def test_the_smoke_budget_of_the_article_leaves_out_what_its_protocol_cannot_use() -> None:
    table = load_table(TABLES["article"])
    found = table_images(table, table.budgets["smoke"])
    used = [*found.validation.images, *found.training["sample/train"].images.images]
    assert len(used) == 13
    assert min(min(image.shape[:2]) for _, image in used) >= 256


def test_a_budget_may_have_its_own_training_set_and_recipes() -> None:
    table = load_table(TABLES["depth"])
    long, short = table.budgets["long"], table.budgets["cpu"]
    ours = long.replace(recipes=("ours",))
    assert {(cell.train, cell.recipe) for cell in cells(table, ours, 1, 20)} == {("T91+BSDS300/train", "ours")}
    assert {(cell.train, cell.recipe) for cell in cells(table, short, 1, 20)} == {("T91", "ours"), ("T91", "authors")}
    sets = load_table(TABLES["training_set"])
    assert [sets.trained_on(row, long) for row in sets.rows] == ["T91", "BSDS300/train", "T91+BSDS300/train"]
