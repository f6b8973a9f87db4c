"""A table of the paper as a file: its question, its rows, budgets, the printed figures, and the claims to be tested.

A file in ``search_spaces/paper/`` is one `Table`. A row says what differs from ``base``; it is trained at every scale, with
every recipe, at every budget and from several seeds, and each of these is a `Cell`. Printed figures are named as the metrics
are, ``Set5/x3/psnr`` or ``Set5/x3/psnr/baby``, in dB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from srcnn.config.presets import PRESETS, preset
from srcnn.config.strict import Strict
from srcnn.config.training import TrainConfig
from srcnn.data.image_set import ImageSet
from srcnn.errors import ConfigError, unknown_name
from srcnn.tuning.space.space_file import compose
from srcnn.tuning.space.yaml_nodes import plain

__all__ = [
    "BUDGETS",
    "SAMPLE",
    "Budget",
    "Cell",
    "Claim",
    "Recipe",
    "Table",
    "TableRow",
    "cells",
    "load_table",
    "table_files",
]

FOLDER = Path("search_spaces/paper")
BUDGETS = ("smoke", "cpu", "paper")
SAMPLE = "sample/train", "sample/test"  #: what a smoke test trains and measures on, so that it needs no download


class Recipe(Strict):
    """How rows are trained: a preset, and what differs from it."""

    preset: str = Field("default", description="one of the presets of experiments/train.py")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of a training configuration")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.preset not in PRESETS:
            raise ValueError(unknown_name("preset", self.preset, PRESETS))
        return self


class TableRow(Strict):
    """One row of the paper's table."""

    name: str = Field(min_length=1, description="as the paper calls it")
    config: dict[str, Any] = Field(default_factory=dict, description="fields that differ from the table's base")
    train: str | None = Field(None, description="training images; none: the table's")
    allow_overlap: bool = Field(
        False, description="train on images that show a test or validation image too; its figures are marked"
    )
    recipes: tuple[str, ...] | None = Field(None, description="which recipes train it; none: all")
    official: str | None = Field(None, description="folder of the authors' weights for it")
    paper: dict[str, float] = Field(default_factory=dict, description="printed figures in dB by metric")


class Claim(Strict):
    """A statement of the paper and the test that decides on it."""

    text: str = Field(description="in words")
    kind: Literal["order", "no_better", "reaches", "slower"] = Field(
        description="order: each row above the next; no_better: the first row is at most `margin` above the second; "
        "reaches: every row is at most `margin` below its printed figure; slower: below it at every smaller budget"
    )
    rows: tuple[str, ...] = Field(min_length=1, description="names of rows")
    metric: str = Field("Set5/x3/psnr", description="what is compared")
    margin: float = Field(0.0, ge=0, description="in dB")
    recipes: tuple[str, ...] | None = Field(None, description="which recipes it is tested with; none: all")


class Budget(Strict):
    """How long cells are trained."""

    pixels: tuple[float, ...] = Field((), description="target pixels of a run; several show where a claim turns")
    epochs: tuple[int, ...] = Field((), description="or epochs")
    seeds: int = Field(1, ge=1, description="runs of a cell")
    sample: bool = Field(False, description="train and measure on the bundled photographs")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.pixels) == bool(self.epochs):
            raise ValueError("pixels: exactly one of pixels and epochs must be given")
        if sorted(set(self.lengths)) != list(self.lengths) or self.lengths[0] <= 0:
            raise ValueError(f"pixels: must be positive and ascend, but got {self.lengths}")
        return self

    @property
    def lengths(self) -> tuple[float, ...]:
        """Pixels or epochs."""
        return self.pixels or tuple(map(float, self.epochs))

    @property
    def unit(self) -> str:
        """Which of the two."""
        return "pixels" if self.pixels else "epochs"


class Table(Strict):
    """A table of the paper."""

    title: str
    question: str
    source: str = Field(description="where the paper has it")
    scales: tuple[int, ...] = (3,)
    train: str = "T91"
    hold_out: str = Field("T91", description="the set whose images choose the best epoch; never trained on")
    validation: int = Field(9, ge=1, description="how many of them")
    test: tuple[str, ...] = ("Set5", "Set14")
    measure: Literal["psnr", "planes", "article"] = Field(
        "psnr",
        description="psnr: and SSIM; planes: Y, Cb, Cr and all three; article: beside psnr, the article's figure",
    )
    shown: tuple[str, ...] = Field(("Set5/x3/psnr",), description="the columns of the table, metrics")
    base: dict[str, Any] = Field(default_factory=dict, description="fields that all rows share")
    recipes: dict[str, Recipe] = Field(default_factory=lambda: {"ours": Recipe()})
    rows: tuple[TableRow, ...] = Field(min_length=1)
    claims: tuple[Claim, ...] = ()
    budgets: dict[str, Budget]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError(f"rows: names must differ, but got {', '.join(names)}")
        for given in self.budgets:
            if given not in BUDGETS:
                raise ValueError(unknown_name("budget", given, BUDGETS))
        for claim in self.claims:
            for name in claim.rows:
                if name not in names:
                    raise ValueError(unknown_name("row of a claim", name, names))
            if claim.kind in ("no_better", "slower") and len(claim.rows) != 2:
                raise ValueError(f"claims: {claim.kind} compares two rows, but got {', '.join(claim.rows)}")
        for named in [one.recipes or () for one in self.rows] + [one.recipes or () for one in self.claims]:
            for recipe in named:
                if recipe not in self.recipes:
                    raise ValueError(unknown_name("recipe", recipe, self.recipes))
        return self

    def row(self, name: str) -> TableRow:
        """By its name."""
        return next(row for row in self.rows if row.name == name)

    def config(self, row: TableRow, recipe: str, scale: int, **more: Any) -> TrainConfig:
        """What a row is trained with.

        Raises:
            ConfigError: the fields break a rule together.
        """
        chosen = self.recipes[recipe]
        fields = {**preset(chosen.preset), **chosen.config, **self.base, **row.config, "scale": scale}
        return TrainConfig(**{**fields, "pixels": None, "epochs": None, **more})

    def trained_by(self, row: TableRow) -> Sequence[str]:
        """The recipes of a row."""
        return row.recipes or tuple(self.recipes)


@dataclass(frozen=True)
class Cell:
    """One training run of a table."""

    row: str
    recipe: str
    scale: int
    length: float  #: pixels or epochs
    config: TrainConfig
    train: str  #: the set
    allow_overlap: bool = False  #: whether its images may show test or validation images

    def key(self, training: ImageSet, validation: ImageSet) -> str:
        """What its figures depend on, as 16 hexadecimal digits: a cell of the same key is not run again."""
        # Two rows may differ in nothing but what they leave out, and where there is nothing to leave out they stay apart.
        text = "|".join(
            [self.config.model_dump_json(), training.digest, validation.digest, *["overlap"] * self.allow_overlap]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def cells(table: Table, budget: Budget, seeds: int, reports: int, overlapping: Collection[str] = ()) -> list[Cell]:
    """Every run of a table, the first seed of all before the second of any, short ones before long ones.

    Args:
        table: the table.
        budget: one of its budgets.
        seeds: runs of a cell; seeds count from 123.
        reports: points of a convergence curve; runs counted in epochs have one for each.
        overlapping: training sets that keep images which show a test or validation image, whatever the row says.
    """
    found = []
    for seed in range(123, 123 + seeds):
        for length in budget.lengths:
            for row in table.rows:
                for recipe in table.trained_by(row):
                    for scale in table.scales:
                        more: dict[str, Any] = {budget.unit: length, "seed": seed}
                        if budget.unit == "pixels":
                            more["epoch_pixels"] = length / reports
                        else:
                            more["epochs"] = int(length)
                        config = table.config(row, recipe, scale, **more)
                        train = SAMPLE[0] if budget.sample else row.train or table.train
                        allowed = row.allow_overlap or train in overlapping
                        found.append(Cell(row.name, recipe, scale, length, config, train, allowed))
    return found


def table_files(folder: Path = FOLDER) -> dict[str, Path]:
    """The tables that there are, by name."""
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_table(path: Path) -> Table:
    """Read a table.

    Raises:
        ConfigError: the file breaks a rule; with file and field.
    """
    node = compose(path)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:1: a table must be a mapping of names to values")
    given = plain(path, node)
    try:
        table = Table(**{str(name): value for name, value in given.items()})
        for row in table.rows:
            for recipe in table.trained_by(row):
                for scale in table.scales:
                    try:
                        table.config(row, recipe, scale)
                    except ConfigError as error:
                        raise ConfigError(f"rows: {row.name!r} with recipe {recipe!r} at x{scale}: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return table
