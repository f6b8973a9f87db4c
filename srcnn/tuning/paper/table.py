"""A table of the paper as a YAML file: question, rows, budgets, figures of the paper, and claims to test.

A file in ``search_spaces/paper/`` is one `Table`. A row contains the differences from ``base``. It is trained at every
scale, with every recipe, at every budget and with several seeds; each of these runs is a `Cell`. Figures of the paper
are named like the metrics, ``Set5/x3/psnr`` or ``Set5/x3/psnr/baby``, in dB.
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
from srcnn.tuning.space.shipped_spaces import shipped
from srcnn.tuning.space.yaml_file import compose
from srcnn.tuning.space.yaml_nodes import plain, shown
from srcnn.tuning.tracking.names import SetFigure

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
BUDGETS = ("smoke", "cpu", "long", "paper")
#: Fields of a configuration that are younger than the first tables. At their defaults they are left out of a cell's key, so that
#: what was trained before they existed is not trained again.
_LATER = (
    "activation",
    "loss",
    "charbonnier_epsilon",
    "mse_share",
    "start",
    "start_digest",
    "cycles",
    "cycle_growth",
    "ema",
    "expansion",
    "late_patch_size",
    "late_share",
    "reduced_copies",
    "weight_decay",
)
SAMPLE = "sample/train", "sample/test"  #: training and test set of a smoke test, which needs no download


class Recipe(Strict):
    """A training recipe for rows: a preset and the differences from it."""

    preset: str = Field("default", description="one of the presets of experiments/train.py")
    config: dict[str, Any] = Field(default_factory=dict, description="fields that differ from the preset")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.preset not in PRESETS:
            raise ValueError(unknown_name("preset", self.preset, PRESETS))
        return self


class TableRow(Strict):
    """A row of a table."""

    name: str = Field(min_length=1, description="name in the paper")
    config: dict[str, Any] = Field(default_factory=dict, description="fields that differ from the base of the table")
    train: str | None = Field(None, description="training images; none: those of the table")
    allow_overlap: bool = Field(
        False, description="keep training images that show a test or validation image; the results are marked"
    )
    recipes: tuple[str, ...] | None = Field(None, description="recipes for this row; none: all")
    official: str | None = Field(None, description="folder of the authors' weights for this row")
    paper: dict[str, float] = Field(default_factory=dict, description="figures of the paper by metric, in dB")


class Claim(Strict):
    """A claim of the paper, and the test for it."""

    text: str = Field(description="the claim as text")
    kind: Literal["order", "no_better", "reaches", "slower"] = Field(
        description="order: each row is above the next; no_better: the first row is at most `margin` above the second; "
        "reaches: every row is at most `margin` below its figure in the paper; slower: the first row is below the second at "
        "the shortest budget"
    )
    rows: tuple[str, ...] = Field(min_length=1, description="names of the rows")
    metric: str | None = Field(None, description="metric to compare; none: the first that the table shows")
    margin: float = Field(0.0, ge=0, description="margin in dB")
    recipes: tuple[str, ...] | None = Field(None, description="recipes to test the claim with; none: all")


class Budget(Strict):
    """Length of the training runs and number of seeds."""

    pixels: tuple[float, ...] = Field(
        (), description="target pixels of a run; several values show from which one a claim holds"
    )
    epochs: tuple[int, ...] = Field((), description="epochs of a run, instead of pixels")
    seeds: int = Field(1, ge=1, description="number of runs with different seeds")
    train: str | None = Field(None, description="training images of the rows that name none; none: those of the table")
    recipes: tuple[str, ...] | None = Field(None, description="recipes that are trained; none: all")
    sample: bool = Field(False, description="use the bundled photographs for training and test")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.pixels) == bool(self.epochs):
            raise ValueError("pixels: exactly one of pixels and epochs must be given")
        if sorted(set(self.lengths)) != list(self.lengths) or self.lengths[0] <= 0:
            raise ValueError(f"pixels: must be positive and ascending, but got {self.lengths}")
        return self

    @property
    def lengths(self) -> tuple[float, ...]:
        """Lengths of the runs, in target pixels or epochs."""
        return self.pixels or tuple(map(float, self.epochs))

    @property
    def unit(self) -> str:
        """Unit of the lengths: ``pixels`` or ``epochs``."""
        return "pixels" if self.pixels else "epochs"


class Table(Strict):
    """A table of the paper."""

    title: str
    question: str
    source: str = Field(description="section or table of the paper")
    scales: tuple[int, ...] = (3,)
    train: str = "T91"
    hold_out: str = Field(
        "T91", description="set of the validation images, which choose the best epoch and are not trained on"
    )
    validation: int = Field(9, ge=1, description="number of validation images")
    test: tuple[str, ...] = ("Set5", "Set14")
    measure: Literal["psnr", "planes", "article"] = Field(
        "psnr",
        description="psnr: PSNR and SSIM; planes: PSNR of Y, Cb, Cr and all three; article: psnr and the article's PSNR",
    )
    shown: tuple[str, ...] = Field(("Set5/x3/psnr",), min_length=1, description="metrics in the columns of the table")
    base: dict[str, Any] = Field(default_factory=dict, description="fields common to all rows")
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
                raise ValueError(f"claims: {claim.kind} must compare two rows, but got {', '.join(claim.rows)}")
        of_rows, of_claims = [one.recipes for one in self.rows], [one.recipes for one in self.claims]
        for named in (*of_rows, *of_claims, *(one.recipes for one in self.budgets.values())):
            for recipe in named or ():
                if recipe not in self.recipes:
                    raise ValueError(unknown_name("recipe", recipe, self.recipes))
        return self

    @model_validator(mode="after")
    def _check_metrics(self) -> Self:
        named = [("shown", self.shown), ("claims", [self.metric_of(claim) for claim in self.claims])]
        for field, metrics in named:
            for metric in metrics:
                try:
                    figure = SetFigure.parse(metric)
                except ValueError as error:
                    raise ValueError(f"{field}: {error}") from None
                if figure.scale not in self.scales or figure.images not in self.test:
                    measured = ", ".join(f"{name}/x{scale}" for name in self.test for scale in self.scales)
                    raise ValueError(f"{field}: the table does not measure {metric}, only {measured}")
        return self

    def metric_of(self, claim: Claim) -> str:
        """Return the metric by which a claim is judged."""
        return claim.metric or self.shown[0]

    def row(self, name: str) -> TableRow:
        """Return the row of a name."""
        return next(row for row in self.rows if row.name == name)

    def config(self, row: TableRow, recipe: str, scale: int, **more: Any) -> TrainConfig:
        """Return the training configuration of a row.

        Raises:
            ConfigError: the fields together break a rule.
        """
        chosen = self.recipes[recipe]
        fields = {**preset(chosen.preset), **chosen.config, **self.base, **row.config, "scale": scale}
        return TrainConfig(**{**fields, "pixels": None, "epochs": None, **more})

    def trained_by(self, row: TableRow, budget: Budget | None = None) -> Sequence[str]:
        """Return the recipes of a row, with a budget or with any."""
        kept = budget.recipes if budget is not None else None
        return [one for one in row.recipes or self.recipes if kept is None or one in kept]

    def trained_on(self, row: TableRow, budget: Budget) -> str:
        """Return the name of the training set of a row."""
        return SAMPLE[0] if budget.sample else row.train or budget.train or self.train


@dataclass(frozen=True)
class Cell:
    """One training run of a table."""

    row: str
    recipe: str
    scale: int
    length: float  #: length of the run, in target pixels or epochs
    config: TrainConfig
    train: str  #: name of the training set
    allow_overlap: bool = False  #: whether training images may show test or validation images

    def key(self, training: ImageSet, validation: ImageSet) -> str:
        """Return a digest of everything that the result depends on, 16 hexadecimal digits.

        A cell with the same key is not run again.
        """
        # Two rows may differ only in allow_overlap; they have different keys even if no image is left out.
        later = {name for name in _LATER if getattr(self.config, name) == TrainConfig.model_fields[name].default}
        text = "|".join(
            [
                self.config.model_dump_json(exclude=later),
                training.digest,
                validation.digest,
                *["overlap"] * self.allow_overlap,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def cells(table: Table, budget: Budget, seeds: int, reports: int, overlapping: Collection[str] = ()) -> list[Cell]:
    """Return all runs of a table: the first seed of all cells before the second of any, short runs before long ones.

    Args:
        table: the table.
        budget: one of its budgets.
        seeds: number of seeds, counted from 123.
        reports: number of epochs of a run whose length is in pixels.
        overlapping: training sets that keep images which show a test or validation image, in every row.
    """
    found = []
    for seed in range(123, 123 + seeds):
        for length in budget.lengths:
            for row in table.rows:
                for recipe in table.trained_by(row, budget):
                    for scale in table.scales:
                        more: dict[str, Any] = {budget.unit: length, "seed": seed}
                        if budget.unit == "pixels":
                            more["epoch_pixels"] = length / reports
                        else:
                            more["epochs"] = int(length)
                        config = table.config(row, recipe, scale, **more)
                        train = table.trained_on(row, budget)
                        allowed = row.allow_overlap or train in overlapping
                        found.append(Cell(row.name, recipe, scale, length, config, train, allowed))
    return found


def table_files(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the files of the tables in a folder, by name; those of the package if there is none in the folder."""
    given, own = sorted(folder.glob("*.yaml")), shipped(folder)
    return {path.stem: path for path in given or sorted(own.glob("*.yaml") if own else ())}


def _no_word(value: object) -> object | None:
    """Return the first name in nested mappings that is not a word, such as 3; None: all are words."""
    inside = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    names = list(value) if isinstance(value, dict) else []
    found = [str(name) if name is None else name for name in names if not isinstance(name, str)]
    return next((odd for odd in (*found, *map(_no_word, inside)) if odd is not None), None)


def load_table(path: Path) -> Table:
    """Read a table.

    Raises:
        ConfigError: the file breaks a rule; the message names file and field.
    """
    node = compose(path)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:1: must be a mapping of names to values")
    given = plain(path, node)
    if not isinstance(given, dict):  # with a tag such as !!set
        raise ConfigError(f"{path}:1: must be a mapping of names to values")
    if (odd := _no_word(given)) is not None:
        raise ConfigError(f"{path}: every name must be a word, but one is {shown(repr(odd))}")
    try:
        table = Table(**given)
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
